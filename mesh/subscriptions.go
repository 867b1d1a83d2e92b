package mesh

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"
)

// Limits of what waits in a subscription before NATS drops. Heartbeats and
// invalidations repair themselves, questions are repeated: a bound on memory
// matters more than a message.
const (
	pendingMsgs  = 256 << 10
	pendingBytes = 256 << 20
)

// subscriptions are what this member listens to.
type subscriptions struct {
	mu       sync.Mutex // guards the lists; not held for a call of the connection's, which may be stuck
	list     []*nats.Subscription
	draining []draining           // that hand over what has come, and end by themselves or with the member
	control  []*nats.Subscription // whose losses make the roster ask again
	lost     int                  // losses of control that have been seen
	ended    bool

	first atomic.Pointer[nats.Subscription] // of list: it is valid for as long as the connection is open
}

// draining is a subscription that gets nothing new.
type draining struct {
	*nats.Subscription
	over chan struct{} // closed when all that had come has been handled
}

func (m *Mesh) listen(subject string, control bool, fn nats.MsgHandler) error {
	_, err := m.listenQueue(subject, "", control, fn)
	return err
}

func (m *Mesh) listenQueue(subject, queue string, control bool, fn nats.MsgHandler) (*nats.Subscription, error) {
	sub, err := m.nc.QueueSubscribe(subject, queue, fn)
	if err != nil {
		return nil, fmt.Errorf("subscribe %s: %w", subject, err)
	}
	_ = sub.SetPendingLimits(pendingMsgs, pendingBytes)
	if !m.subs.add(sub, control) {
		_ = sub.Unsubscribe()
		return nil, ErrClosed
	}
	return sub, nil
}

// add takes a subscription in, unless the member has ended.
func (s *subscriptions) add(sub *nats.Subscription, control bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false
	}
	s.list = append(s.list, sub)
	s.first.CompareAndSwap(nil, sub)
	if control {
		s.control = append(s.control, sub)
	}
	return true
}

// remove takes some out.
func (s *subscriptions) remove(subs []*nats.Subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.draining = slices.DeleteFunc(s.draining, func(d draining) bool { return !d.IsValid() })
	s.list = slices.DeleteFunc(s.list, func(sub *nats.Subscription) bool { return slices.Contains(subs, sub) })
}

// unlisten ends subscriptions, once what has come by them has been handled.
func (m *Mesh) unlisten(subs []*nats.Subscription) {
	m.subs.remove(subs)
	for _, sub := range subs {
		over := make(chan struct{})
		sub.SetClosedHandler(func(string) { close(over) })
		if err := sub.Drain(); err != nil { // as without a connection
			_ = sub.Unsubscribe()
			continue
		}
		m.subs.mu.Lock()
		m.subs.draining = append(m.subs.draining, draining{sub, over})
		m.subs.mu.Unlock()
	}
}

// handled waits until what has come by subscriptions that were ended has been handed over.
func (m *Mesh) handled(ctx context.Context) {
	m.subs.mu.Lock()
	ended := slices.Clone(m.subs.draining)
	m.subs.mu.Unlock()
	for _, d := range ended {
		select {
		case <-d.over:
		case <-ctx.Done():
			return
		}
	}
}

func (m *Mesh) unsubscribe() {
	m.subs.mu.Lock()
	m.subs.ended = true
	list := m.subs.list
	for _, d := range m.subs.draining {
		list = append(list, d.Subscription)
	}
	m.subs.list, m.subs.draining, m.subs.control = nil, nil, nil
	m.subs.mu.Unlock()
	for _, sub := range list {
		_ = sub.Unsubscribe() // a closed connection has none
	}
}

// controlLost reports whether NATS has dropped messages of the roster's since it was last asked.
func (m *Mesh) controlLost() bool {
	m.subs.mu.Lock()
	defer m.subs.mu.Unlock()
	lost := 0
	for _, s := range m.subs.control {
		if n, err := s.Dropped(); err == nil {
			lost += n
		}
	}
	more := lost > m.subs.lost
	m.subs.lost = max(lost, m.subs.lost)
	return more
}
