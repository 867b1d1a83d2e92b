package mesh

import (
	"sync"

	"github.com/cachemesh/cachemesh/internal/wire"
)

// askedID names a question of another member.
type askedID struct {
	id     string
	inc    uint64
	number uint64
}

// mostFailed is how many failures are remembered for repetitions of their questions.
const mostFailed = 1024

// serving is the questions of others that are under way. A repetition of one
// that is starts nothing; nor does that of one that has just failed, whose answer
// it has crossed. (What has not failed is found in memory.)
type serving struct {
	mu    sync.Mutex         // guards all below
	under map[askedID]func() // to leave what the question waits for
	// answering is how many have ended and are being answered.
	answering int
	quiet     chan struct{}           // closed when under is empty next; nil: nobody waits for that
	failed    map[askedID]wire.Result // the latest failures
	order     []askedID               // of them, the oldest first
}

func (s *serving) init() {
	s.under = map[askedID]func(){}
	s.failed = map[askedID]wire.Result{}
}

// begin notes a question, and reports whether it is new. again is the answer to one
// that has failed before.
func (s *serving) begin(id askedID) (again wire.Result, fresh bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if res, ok := s.failed[id]; ok {
		return res, false
	}
	if _, ok := s.under[id]; ok {
		return wire.Result{}, false
	}
	s.under[id] = nil
	return wire.Result{}, true
}

// fail notes with which answer a question failed.
func (s *serving) fail(id askedID, res wire.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.order) == mostFailed {
		delete(s.failed, s.order[0])
		s.order = s.order[1:]
	}
	s.failed[id] = res
	s.order = append(s.order, id)
}

// has reports whether a question is under way: it has not been cancelled.
func (s *serving) has(id askedID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.under[id]
	return ok
}

// leaves notes how to leave what the question waits for. If it has ended already,
// nothing is noted, and it reports false.
func (s *serving) leaves(id askedID, leave func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.under[id]
	if ok {
		s.under[id] = leave
	}
	return ok
}

// end forgets a question.
func (s *serving) end(id askedID) { s.take(id) }

// take forgets a question. It gives what leaves its flight, and whether it was
// under way: then it falls to the caller to answer it.
func (s *serving) take(id askedID) (leave func(), under bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	leave, under = s.under[id]
	delete(s.under, id)
	s.settle()
	return leave, under
}

// answer has send answer a question, and ends it; nothing if it has ended before.
// Until the answer is on its way the question is under way.
func (s *serving) answer(id askedID, send func()) {
	s.mu.Lock()
	_, under := s.under[id]
	if under {
		delete(s.under, id)
		s.answering++
	}
	s.mu.Unlock()
	if !under {
		return
	}
	send()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answering--
	s.settle()
}

// settle tells who waits for it that nothing is under way. mu is held.
func (s *serving) settle() {
	if len(s.under)+s.answering == 0 && s.quiet != nil {
		close(s.quiet)
		s.quiet = nil
	}
}

// idle is nil when nothing is under way, else closed when that is so.
func (s *serving) idle() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.under)+s.answering == 0 {
		return nil
	}
	if s.quiet == nil {
		s.quiet = make(chan struct{})
	}
	return s.quiet
}
