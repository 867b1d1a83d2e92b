package mesh

import (
	"sync"
	"time"
)

// slotPatience is for how long loads wait in turn.
const slotPatience = int64(100 * time.Millisecond)

// slots are the places for loads of one cache, MaxLoads of them. They are given in turn while nobody has
// waited for long. Once the oldest has, the youngest comes first: where more is to be loaded
// than can be, who has waited for longest is about to be given up, and a load for it is a load for nobody.
// With turns alone hardly anybody would be answered.
type slots struct {
	mu      sync.Mutex // guards all below, and left and given of the turns
	free    int
	all     int
	waiting []*turn // the oldest first; some may have left, but not the first
	gone    int     // of waiting, those that have left
}

// turn is one that waits for a place.
type turn struct {
	came        chan struct{} // closed when it has a place
	since       int64
	left, given bool
}

// take takes a place, or says whom to wait for.
func (s *slots) take(now int64) *turn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.free > 0 {
		s.free--
		return nil
	}
	t := &turn{came: make(chan struct{}), since: now}
	s.waiting = append(s.waiting, t)
	return t
}

// give gives a place back: to one that waits, if there is one.
func (s *slots) give(now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) == 0 {
		s.free++
		return
	}
	t := s.waiting[0]
	if now-t.since > slotPatience {
		last := len(s.waiting) - 1
		for s.waiting[last].left { // the first has not
			last--
			s.gone--
		}
		t = s.waiting[last]
		clear(s.waiting[last:])
		s.waiting = s.waiting[:last]
	} else {
		s.waiting[0] = nil
		s.waiting = s.waiting[1:]
	}
	s.tidy()
	t.given = true
	close(t.came)
}

// leave ends a wait. It reports false if t has a place by now, which has to be given back.
func (s *slots) leave(t *turn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.given {
		return false
	}
	t.left = true
	s.gone++
	s.tidy()
	return true
}

// tidy takes those out that have left, where they are the first or the most.
func (s *slots) tidy() {
	for len(s.waiting) > 0 && s.waiting[0].left {
		s.waiting[0] = nil
		s.waiting = s.waiting[1:]
		s.gone--
	}
	if s.gone*2 <= len(s.waiting) {
		return
	}
	stay := make([]*turn, 0, len(s.waiting)-s.gone)
	for _, t := range s.waiting {
		if !t.left {
			stay = append(stay, t)
		}
	}
	s.waiting, s.gone = stay, 0
}

// used is how many places are taken.
func (s *slots) used() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all - s.free
}
