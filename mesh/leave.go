package mesh

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cachemesh/cachemesh/internal/roster"
	"github.com/cachemesh/cachemesh/internal/wire"
)

// Bounds of a leave whose context has none or is done.
const (
	leaveBound    = 30 * time.Second
	announceBound = time.Second // for the announcement, under a done context too
)

// Leave ends the membership in good order: it announces that this member
// leaves, lets its heirs take over what it holds, waits for the loads and
// answers under way, says its last word and closes the caches. Calls on the
// mesh fail with ErrClosed from its beginning, while other members are served until
// its end. It takes 30 seconds at most, or as long as ctx allows; under a done
// context it still announces, within a second, and returns the context's error.
// A second Leave waits for the first and returns nil. The NATS connection stays open.
func (m *Mesh) Leave(ctx context.Context) error {
	if ctx == nil {
		return errNilContext
	}
	if !m.ending.CompareAndSwap(false, true) {
		select {
		case <-m.left:
		case <-m.done:
		case <-ctx.Done():
		}
		return nil
	}
	defer close(m.left)
	if m.closed.Load() || m.connectionClosed() {
		m.end()
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, leaveBound)
	defer cancel()
	m.host.step(func(r *roster.Roster, now int64) roster.Effects { return r.Leave(now) })
	if m.connected() { // clients are answered by others from now on
		within(announceBound, func() {
			for _, c := range *m.caches.Load() {
				m.closeGateway(c)
			}
			announced, cancel := context.WithTimeout(ctx, announceBound)
			defer cancel()
			m.handled(announced)
		})
	}
	var err error
	if ctx.Err() == nil {
		err = errors.Join(m.handOver(ctx), m.drain(ctx))
	} else {
		err = context.Cause(ctx)
	}
	m.retire()
	if err != nil {
		return fmt.Errorf("mesh: leave %s: %w", m.cfg.Name, err)
	}
	return nil
}

// retire says the last word and ends.
func (m *Mesh) retire() {
	m.host.step(func(r *roster.Roster, now int64) roster.Effects { return r.Gone(now) })
	m.outbox.drain(announceBound)
	within(announceBound, func() {
		if m.nc.IsConnected() {
			_ = m.nc.FlushTimeout(announceBound) // best effort: silence says the same a lease later
		}
	})
	m.end()
}

// within waits for f, for d at most: a connection that is stuck holds up who uses it
// for as long as a write may take.
func within(d time.Duration, f func()) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		f()
	}()
	bound := time.NewTimer(d)
	defer bound.Stop()
	select {
	case <-over:
	case <-bound.C:
	}
}

// drain waits until the callers here who already wait, and the questions of
// others under way, have been answered.
func (m *Mesh) drain(ctx context.Context) error {
	select {
	case <-m.callers.part():
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-m.done:
		return nil
	}
	for {
		idle := m.serving.idle()
		if idle == nil {
			within(announceBound, func() {
				for _, l := range *m.links.Load() {
					l.flushAnswers()
				}
			})
			return nil
		}
		select {
		case <-idle:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-m.done:
			return nil
		}
	}
}

// end closes everything here, and tells nobody. It may be called more than once, and from any goroutine of its own.
func (m *Mesh) end() {
	m.endOnce.Do(func() {
		m.closed.Store(true)
		close(m.done)
		within(announceBound, m.unsubscribe)
		m.openMu.Lock()
		caches := *m.caches.Load()
		m.caches.Store(&map[string]*core{})
		m.openMu.Unlock()
		for _, c := range caches {
			c.close()
		}
		m.linkMu.Lock() // who makes a link from here on finds the mesh closed
		links := *m.links.Load()
		m.linkMu.Unlock()
		for _, l := range links { // without the lock: who waits may ask elsewhere
			l.close()
		}
		m.transfers.clear()
	})
}

// handOverWindow is how many keys are offered to heirs at once.
const handOverWindow = 1024

// mayHoldAlone reports whether v is not a copy of what another member holds for sure: what
// this member has owned is a replica once another has come to own the key, which takes it
// over when somebody asks for it, and not before.
func (m *Mesh) mayHoldAlone(v *storeValue, now int64) bool {
	if v.Replica {
		return v.Owner == m.cfg.ID && v.Expires > now
	}
	return v.Until > now
}

// handOver offers each value that this member owns, or has owned, to the key's heir, which
// pulls it. It returns when all have been pulled or refused, or ctx is done.
func (m *Mesh) handOver(ctx context.Context) error {
	window := make(chan struct{}, handOverWindow)
	for _, c := range *m.caches.Load() {
		full := false
		c.store.Range(func(key string, v *storeValue) bool {
			now := m.clock.now()
			if !m.mayHoldAlone(v, now) {
				return true
			}
			heir := m.host.current(now).share(c.name).owners.Owner(key)
			if heir == "" || heir == m.cfg.ID {
				return true
			}
			select {
			case window <- struct{}{}:
			case <-ctx.Done():
				full = true
				return false
			case <-m.done:
				full = true
				return false
			}
			m.stats.handedOver.Add(1)
			c.offerTo(heir, key, func(wire.Status) { <-window })
			return true
		})
		if full {
			return context.Cause(ctx)
		}
	}
	for range handOverWindow { // as many places as the window has: all are back
		select {
		case window <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-m.done:
			return nil
		}
	}
	return nil
}
