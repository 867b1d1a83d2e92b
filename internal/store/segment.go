package store

import "sync"

const (
	probationShare = 16 // probation is a sixteenth of a segment
	looks          = 64 // values that one eviction looks at, at most
)

// segment is the memory of one budget, after S3-FIFO (Yang et al., "FIFO queues are all you
// need for cache eviction", SOSP 2023). New values are on probation in a short queue. Who
// is read there moves on to the main queue; who is not leaves a ghost, and goes to the
// main queue at once when it comes back. The oldest of the main queue leaves, unless it
// has been read: then it has another turn for each read, up to enough.
//
// So a value that is asked for once, as by a scan, displaces no other for long; a hit
// moves nothing and takes no lock; and what memory holds is decided while it is kept.
// The budget is never exceeded.
type segment struct {
	limit int64 // bytes

	mu              sync.Mutex // guards all below, and prev, next and place of the values
	probation, main queue
	ghosts          ghosts
	full            bool // there has been no room: new values have to prove themselves
}

func (g *segment) init(limit int64) {
	g.limit = limit
	g.probation.at, g.main.at = onProbation, inMain
}

// losses counts what others have displaced.
type losses struct {
	evicted  uint64 // from the main queue
	rejected uint64 // unread, from probation
}

// admit takes in v, whose stripe is locked.
func (g *segment) admit(s *Store, h uint64, v *Value, cost int64, now int64) (n losses) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.probation.bytes+g.main.bytes+cost > g.limit && g.probation.entries+g.main.entries > 0 {
		g.evict(s, now, &n)
		g.full = true
	}
	if g.probation.bytes+g.main.bytes < g.limit/2 {
		g.full = false
	}
	// While there is room nobody has to prove anything. Once there is none, a large value that
	// comes to probation must not move others on: it would do so with each that is asked for once.
	for !g.full && g.probation.bytes > g.limit/probationShare {
		o := g.probation.oldest
		c := charge(o.key, o)
		g.probation.unlink(o, c)
		g.main.push(o, c)
	}
	if v.is(dead) { // a reader has found it void meanwhile, and has had nothing to remove
		return n
	}
	if g.ghosts.take(h) {
		g.main.push(v, cost)
	} else {
		g.probation.push(v, cost)
	}
	return n
}

// evict takes a value out, or moves one on from probation. There is one. g.mu is held.
func (g *segment) evict(s *Store, now int64, n *losses) {
	if g.main.entries > 0 && g.probation.bytes <= g.limit/probationShare {
		g.evictMain(s, now, n)
		return
	}
	v := g.probation.oldest
	cost := charge(v.key, v)
	g.probation.unlink(v, cost)
	if v.uses.Load() > 0 && now < v.Until && !v.is(dead) {
		v.uses.Store(0)
		g.main.push(v, cost)
		return
	}
	g.ghosts.size(g.probation.entries + g.main.entries)
	h := s.hash(v.key)
	g.ghosts.add(h)
	if s.forget(v, h) {
		n.rejected++
	}
}

// evictMain takes the oldest out of the main queue that has not been read since it was last
// looked at; of looks that all have been, the one that was read least.
func (g *segment) evictMain(s *Store, now int64, n *losses) {
	victim, least := g.main.oldest, uint32(enough+1)
	for range looks {
		v := g.main.oldest
		uses := v.uses.Load()
		if uses == 0 || now >= v.Until || v.is(dead) {
			victim = v
			break
		}
		if uses < least {
			victim, least = v, uses
		}
		v.uses.Store(uses - 1)
		cost := charge(v.key, v)
		g.main.unlink(v, cost)
		g.main.push(v, cost)
	}
	g.main.unlink(victim, charge(victim.key, victim))
	if s.forget(victim, s.hash(victim.key)) {
		n.evicted++
	}
}

// remove takes v out. Where it had come off probation, and has been dropped, not replaced,
// it will be wanted again: it leaves a ghost.
func (g *segment) remove(v *Value, h uint64, dropped bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if v.place == nowhere {
		return
	}
	q := g.queueOf(v)
	q.unlink(v, charge(v.key, v))
	if dropped && q == &g.main {
		g.ghosts.size(g.probation.entries + g.main.entries)
		g.ghosts.add(h)
	}
}

// replace puts v in the place of old, and reports whether old had one.
func (g *segment) replace(s *Store, st *stripe, h uint64, old, v *Value) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if old.place == nowhere {
		return false
	}
	g.queueOf(old).replace(old, v)
	st.values.swap(h, old, v)
	s.usage.add(v.Replica, charge(v.key, v))
	s.kill(old) // last: a reader finds the one or the other
	old.set(out)
	return true
}

// queueOf returns the queue that v is in. g.mu is held.
func (g *segment) queueOf(v *Value) *queue {
	if v.place == inMain {
		return &g.main
	}
	return &g.probation
}
