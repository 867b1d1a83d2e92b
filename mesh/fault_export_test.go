package mesh

import "github.com/nats-io/nats.go"

// LimitPending makes this member a slow consumer: what it listens to holds n messages and loses the others.
func (m *Mesh) LimitPending(n int) error {
	m.subs.mu.Lock()
	defer m.subs.mu.Unlock()
	for _, s := range m.subs.list {
		if err := s.SetPendingLimits(n, pendingBytes); err != nil {
			return err
		}
	}
	return nil
}

// Lost is how many messages its subscriptions have lost.
func (m *Mesh) Lost() (n int) {
	m.subs.mu.Lock()
	defer m.subs.mu.Unlock()
	for _, s := range m.subs.list {
		if lost, err := s.Dropped(); err == nil {
			n += lost
		}
	}
	return n
}

// Links is to how many members there are links.
func (m *Mesh) Links() int {
	return len(*m.links.Load())
}

// Hear has the member receive a message for the roster.
func (m *Mesh) Hear(msg *nats.Msg) { m.onControl(msg) }

// Incarnation is this member's present one.
func (m *Mesh) Incarnation() uint64 { return m.host.inc() }
