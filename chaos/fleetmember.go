package main

import (
	"bufio"
	"encoding/gob"
	"errors"
	"fmt"
	"sync"
	"time"
)

// member is a member's process, as the driver sees it.
type member struct {
	*process
	id string

	ordering sync.Mutex // guards orders and number
	orders   *gob.Encoder
	number   uint64

	mu            sync.Mutex // guards the rest
	answers       map[uint64]chan answer
	reads         []read
	views         []view
	seen          time.Duration
	invalidations map[uint64]*invalidation
	heard         chan struct{} // closed when nothing more is to be heard
}

func newMember(p *process, id string) *member {
	m := &member{process: p, id: id, orders: gob.NewEncoder(p.in), invalidations: map[uint64]*invalidation{},
		answers: map[uint64]chan answer{}, heard: make(chan struct{})}
	go m.listen()
	return m
}

// listen writes down what the member reports until its process has ended.
func (m *member) listen() {
	defer close(m.heard)
	defer m.out.Close()
	reports := gob.NewDecoder(bufio.NewReader(m.out))
	for {
		var r report
		if err := reports.Decode(&r); err != nil {
			return // a killed process may leave half a report
		}
		m.mu.Lock()
		m.reads = append(m.reads, r.Reads...)
		m.seen = max(m.seen, r.Seen)
		if r.View != nil {
			m.views = append(m.views, *r.View)
		}
		if r.Begun != nil {
			m.invalidations[r.Begun.Number] = r.Begun
		}
		if r.Ended != nil {
			m.invalidations[r.Ended.Number] = r.Ended
		}
		if r.Answer != nil {
			m.answer(r.Answer.Number) <- *r.Answer
		}
		m.mu.Unlock()
	}
}

// answer is where the answer to an order goes. The caller holds mu.
func (m *member) answer(number uint64) chan answer {
	if m.answers[number] == nil {
		m.answers[number] = make(chan answer, 1)
	}
	return m.answers[number]
}

// begin gives an order without waiting for its answer.
func (m *member) begin(o order) (number uint64, err error) {
	m.ordering.Lock()
	defer m.ordering.Unlock()
	m.number++
	o.Number = m.number
	if err := m.orders.Encode(o); err != nil {
		return 0, fmt.Errorf("%s, %s: %w", m.id, o.Do, err)
	}
	return o.Number, nil
}

// order gives an order and waits for what comes of it.
func (m *member) order(o order) (answer, error) {
	number, err := m.begin(o)
	if err != nil {
		return answer{}, err
	}
	return m.hear(number, time.Minute)
}

// hear waits for an answer.
func (m *member) hear(number uint64, limit time.Duration) (answer, error) {
	m.mu.Lock()
	ch := m.answer(number)
	m.mu.Unlock()
	failed := func(why string) error { return fmt.Errorf("%s: %s; its log is %s", m.id, why, m.log) }
	check := func(a answer) (answer, error) {
		if a.Err != "" {
			return a, errors.Join(failed(a.Err))
		}
		return a, nil
	}
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case a := <-ch:
		return check(a)
	case <-m.heard:
		select {
		case a := <-ch: // its last word
			return check(a)
		default:
			return answer{}, failed("it has ended")
		}
	case <-t.C:
		return answer{}, failed(fmt.Sprintf("no answer within %v", limit))
	}
}

// lastView is whom the member counted last, and when it last looked.
func (m *member) lastView() (v view, seen time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.views) > 0 {
		v = m.views[len(m.views)-1]
	}
	return v, m.seen
}
