package store

import "time"

// settleEvery is how long entries handed to ristretto gather before a barrier
// confirms them. Until then they are found in front, at the price of a lock.
const settleEvery = time.Millisecond

// wake starts the goroutine that settles what is pending unless it runs. It
// ends when nothing is pending, so that an idle store runs no timer.
func (s *Store) wake() {
	if s.settler.CompareAndSwap(false, true) {
		s.running.Go(s.settleAll)
	}
}

func (s *Store) settleAll() {
	timer := time.NewTimer(settleEvery)
	defer timer.Stop()
	for {
		select {
		case <-s.done:
			return
		case <-timer.C:
		}
		s.life.RLock()
		if s.closed {
			s.life.RUnlock()
			return
		}
		left := int64(0)
		for _, g := range s.segments() {
			if g != nil {
				s.settle(g)
				left += g.queued.Load()
			}
		}
		if left == 0 {
			// Under life, for Close counts on wake not starting anything after it.
			s.settler.Store(false)
			if !s.pending() || !s.settler.CompareAndSwap(false, true) {
				s.life.RUnlock()
				return
			}
		}
		s.life.RUnlock()
		timer.Reset(settleEvery)
	}
}

func (s *Store) pending() bool {
	for _, g := range s.segments() {
		if g != nil && g.queued.Load() > 0 {
			return true
		}
	}
	return false
}

// settle is the barrier: it waits until ristretto has applied all that had been
// handed to it, and forgets those entries in front. From then on such an entry
// is either found in ristretto or unreachable. The caller holds life, and no
// stripe.
func (s *Store) settle(g *segment) {
	g.settling.Lock()
	defer g.settling.Unlock()
	g.mu.Lock()
	batch := g.pending
	g.pending = nil
	g.mu.Unlock()
	if len(batch) == 0 {
		return
	}
	g.cache.Wait()
	var cost int64
	for _, e := range batch {
		st := s.stripe(e.hash)
		st.mu.Lock()
		st.forget(e)
		st.mu.Unlock()
		cost += e.cost
	}
	g.waiting.Add(-cost)
	g.queued.Add(int64(-len(batch)))
}
