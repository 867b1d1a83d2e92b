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

// PullsFrom is how many values are being pulled from another member.
func (m *Mesh) PullsFrom(id string) int {
	l := m.link(id)
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.pulls) + l.pieces
}

// ForgetPulls has this member forget what others pull from it.
func (m *Mesh) ForgetPulls() { m.transfers.clear() }

// MistakeIncarnation has this member take another for an incarnation that it is not.
func (m *Mesh) MistakeIncarnation(id string) {
	v := m.host.view.Load()
	m.link(id).seen.Store(&seenIn{v, v.incs[id] + 1})
}

// WaitToBeTold is how many loads others are to be told of when they begin.
func (c *Cache[V]) WaitToBeTold() int {
	c.c.queued.mu.Lock()
	defer c.c.queued.mu.Unlock()
	return len(c.c.queued.asks)
}

// Restamped has this member take what it holds for judged under the present view, as where the view changes
// between the look into memory and the choice of an owner.
func (c *Cache[V]) Restamped() {
	n := c.c.m.host.view.Load().Number
	c.c.store.Range(func(_ string, v *storeValue) bool { v.View.Store(n); return true })
}

// Pending is how many of its first n calls of Invalidate are not done and not forgotten.
func (m *Mesh) Pending(n uint64) (pending int) {
	m.host.mu.Lock()
	defer m.host.mu.Unlock()
	for op := range n {
		if m.host.roster.Pending(op + 1) {
			pending++
		}
	}
	return pending
}
