package store

import (
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/ristretto/v2"
)

const (
	windowShare    = 10      // the window is a tenth of a segment
	pendingShare   = 16      // at most about a sixteenth waits for ristretto's confirmation
	pendingEntries = 8 << 10 // and at most this many, well below ristretto's queue of 32Ki
	counterBytes   = 128     // one admission counter for each so many bytes of budget
	never          = 1 << 32 // seconds: ristretto has nothing to expire, its ticker should not run
	minCounters    = 1 << 10
	maxCounters    = 1 << 24
)

// segment is the memory of one budget: a recency window in front of ristretto.
//
// An entry is handed to ristretto at most once, and a hash is handed again only
// after a Del of what was handed before. As ristretto applies its queue in order
// and ShouldUpdate keeps Set from changing anything beside the queue, it never
// sees a Set for a key that it holds, which it would not handle.
type segment struct {
	cache *ristretto.Cache[uint64, *entry]
	room  int64 // ristretto's share of the budget
	usage *usage

	held    atomic.Int64 // cost of what ristretto holds or has in its queue
	waiting atomic.Int64 // cost of pending
	queued  atomic.Int64 // length of pending

	mu      sync.Mutex // guards window and pending, and orders a hand-over against a Del of the same entry
	window  window
	pending []*entry // handed to ristretto since the last barrier

	settling sync.Mutex // one barrier, or one sweep, at a time
}

func newSegment(s *Store, budget int64) (*segment, error) {
	g := &segment{usage: &s.usage}
	g.window.limit = budget / windowShare
	g.room = max(budget-g.window.limit, 1)
	cache, err := ristretto.NewCache(&ristretto.Config[uint64, *entry]{
		NumCounters:            min(max(budget/counterBytes, minCounters), maxCounters),
		MaxCost:                g.room,
		BufferItems:            64,
		IgnoreInternalCost:     true,
		TtlTickerDurationInSec: never,
		KeyToHash:              func(h uint64) (uint64, uint64) { return h, 0 },
		ShouldUpdate:           func(_, _ *entry) bool { return false },
		// The callbacks run on ristretto's one goroutine: they take no lock. Those for
		// deletions carry no entry.
		OnEvict: func(i *ristretto.Item[*entry]) {
			if e := i.Value; e != nil && e.kill() != nil && e.since >= s.epochs.cleared.Load() {
				s.evictions.Add(1)
			}
		},
		OnReject: func(i *ristretto.Item[*entry]) {
			if e := i.Value; e != nil && e.kill() != nil {
				s.rejected.Add(1)
			}
		},
		OnExit: func(e *entry) {
			if e != nil {
				e.kill()
				g.release(e)
			}
		},
	})
	g.cache = cache
	return g, err
}

// release gives back what e was charged while ristretto had it.
func (g *segment) release(e *entry) {
	if e.left.CompareAndSwap(false, true) {
		g.held.Add(-e.cost)
	}
}

// find returns the entry that ristretto holds for hash. A miss does not count as
// a use; a hit does, as ristretto has no other way to read.
func (g *segment) find(hash uint64) *entry {
	if _, ok := g.cache.GetTTL(hash); !ok {
		return nil
	}
	e, _ := g.cache.Get(hash)
	return e
}

// admit takes in a new entry: straight into ristretto while that has room for
// it, through the window otherwise. It returns how many entries it handed to
// ristretto that could not be queued.
func (g *segment) admit(e *entry) (lost uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held.Load()+e.cost <= g.room {
		return g.hand(e)
	}
	for o := g.window.overflow(e.cost); o != nil; o = g.window.overflow(e.cost) {
		lost += g.hand(o)
	}
	g.window.push(e)
	return lost
}

// hand gives e to ristretto. It stays in its stripe's front until the next
// barrier, for ristretto does not show it before it has applied its queue.
// g.mu is held.
func (g *segment) hand(e *entry) (lost uint64) {
	g.pending = append(g.pending, e)
	g.waiting.Add(e.cost)
	g.queued.Add(1)
	if e.value.Load() == nil {
		return 0
	}
	g.held.Add(e.cost)
	if g.cache.Set(e.hash, e, e.cost) {
		return 0
	}
	g.release(e)
	if e.kill() != nil {
		lost = 1
	}
	return lost
}

// remove takes e out of the window or of ristretto. The caller holds e's stripe.
// Under g.mu a Del is queued before anything that is handed over on the strength
// of the room it makes.
func (g *segment) remove(e *entry) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if e.inWindow {
		g.window.unlink(e)
	} else {
		g.cache.Del(e.hash)
	}
}

// crowded reports whether so much waits for confirmation that a keeper should
// wait for the barrier. It bounds memory, and keeps ristretto's queue from
// overflowing.
func (g *segment) crowded() bool {
	return g.queued.Load() > pendingEntries || g.waiting.Load() > g.room/pendingShare
}
