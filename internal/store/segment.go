package store

import (
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/ristretto/v2"
)

const (
	windowShare    = 10      // the window is a tenth of a segment
	pendingShare   = 16      // at most about a sixteenth waits for ristretto to apply it
	pendingEntries = 8 << 10 // and at most this many, well below ristretto's queue of 32Ki
	counterBytes   = 96      // one admission counter for each so many bytes of budget
	never          = 1 << 32 // seconds: ristretto has nothing to expire, its ticker should not run
	minCounters    = 1 << 10
	maxCounters    = 1 << 24

	// Ristretto counts uses up to 15, and whether there was one before, and halves the
	// counts when it has counted as many uses as it has counters. To tell it of more
	// would change nothing but the time to the next halving.
	enough    = 16
	noteBits  = 5 // a count up to enough fits
	noteCount = 1<<noteBits - 1
)

// segment is the memory of one budget: a recency window in front of ristretto.
//
// An entry is handed to ristretto at most once, and a hash is handed again only
// after a Del of what was handed before. As ristretto applies its queue in order
// and ShouldUpdate keeps Set from changing anything beside the queue, it never
// sees a Set for a key that it holds, which it would not handle.
//
// Values are found in the store's own index, so that ristretto hears of uses alone,
// and of no more of them than it can count.
type segment struct {
	cache *ristretto.Cache[uint64, *entry]
	room  int64 // ristretto's share of the budget
	usage *usage

	// full is the noted of an entry of which ristretto need not hear for now: enough, and
	// above it the number of times that ristretto has halved its counts, as far as can be told.
	full   atomic.Uint32
	period uint64   // uses that ristretto is told of between two halvings
	_      [64]byte // keeps readers off the cache line that keepers write

	notes atomic.Uint64 // uses that ristretto has been told of
	held  atomic.Int64  // cost of what ristretto holds or has in its queue

	mu      sync.Mutex // guards all below, and orders a hand-over against a Del of the same entry
	window  window
	waiting int64 // cost of what may wait in ristretto's queue
	queued  int64 // and the number

	settling sync.Mutex // one wait for ristretto's queue, or one Clear, at a time
}

func newSegment(s *Store, budget int64) (*segment, error) {
	g := &segment{usage: &s.usage}
	g.window.limit = budget / windowShare
	g.room = max(budget-g.window.limit, 1)
	counters := min(max(budget/counterBytes, minCounters), maxCounters)
	g.period = uint64(counters)
	g.full.Store(enough)
	cache, err := ristretto.NewCache(&ristretto.Config[uint64, *entry]{
		NumCounters:            counters,
		MaxCost:                g.room,
		BufferItems:            64,
		IgnoreInternalCost:     true,
		TtlTickerDurationInSec: never,
		KeyToHash:              func(h uint64) (uint64, uint64) { return h, 0 },
		ShouldUpdate:           func(_, _ *entry) bool { return false },
		// The callbacks run on ristretto's one goroutine: they take no lock. Those for
		// deletions carry no entry. OnExit follows the other two.
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
				s.stripe(e.hash).entries.remove(e)
			}
		},
	})
	g.cache = cache
	return g, err
}

// release gives back what e was charged while ristretto had it.
func (g *segment) release(e *entry) {
	if e.set(left) {
		g.held.Add(-e.cost)
	}
}

// note tells ristretto that e has been used.
func (g *segment) note(e *entry) {
	full, noted := g.full.Load(), e.noted.Load()
	halved := (full - noted) >> noteBits
	e.noted.Store(full&^noteCount | min(noted&noteCount>>min(halved, noteBits)+1, enough))
	g.cache.Get(e.hash)
	if g.notes.Add(1)%g.period == 0 {
		g.full.Add(1 << noteBits)
	}
}

// admit takes in a new entry: straight into ristretto while that has room for
// it, through the window otherwise. It returns how many entries it handed to
// ristretto that could not be queued, and whether so much may be in ristretto's queue
// that the keeper should settle.
func (g *segment) admit(s *Store, e *entry) (lost uint64, crowded bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held.Load()+e.cost <= g.room {
		lost = g.hand(s, e)
	} else {
		for o := g.window.overflow(e.cost); o != nil; o = g.window.overflow(e.cost) {
			lost += g.hand(s, o)
		}
		g.window.push(e)
	}
	return lost, g.queued > pendingEntries || g.waiting > g.room/pendingShare
}

// hand gives e to ristretto. g.mu is held.
func (g *segment) hand(s *Store, e *entry) (lost uint64) {
	if e.value.Load() != nil {
		g.waiting += e.cost
		g.queued++
		g.held.Add(e.cost)
		if g.cache.Set(e.hash, e, e.cost) {
			return 0
		}
		g.release(e)
		if e.kill() != nil {
			lost = 1
		}
	}
	s.stripe(e.hash).entries.remove(e)
	return lost
}

// remove takes e out of the window or of ristretto. The caller holds e's stripe.
// Under g.mu a Del is queued before anything that is handed over on the strength
// of the room it makes.
func (g *segment) remove(e *entry) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if e.is(inWindow) {
		g.window.unlink(e)
	} else {
		g.cache.Del(e.hash)
	}
}

// waits reports whether e is in the window.
func (g *segment) waits(e *entry) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return e.is(inWindow)
}

// settle waits until ristretto has applied what it has been handed. It bounds memory, and
// keeps ristretto's queue from overflowing. The caller holds the store's life, and no stripe.
func (g *segment) settle() {
	g.settling.Lock()
	defer g.settling.Unlock()
	g.mu.Lock()
	cost, n := g.waiting, g.queued
	g.mu.Unlock()
	if n == 0 {
		return
	}
	g.cache.Wait()
	g.mu.Lock()
	g.waiting -= cost
	g.queued -= n
	g.mu.Unlock()
}

// clear empties ristretto.
func (g *segment) clear() {
	g.settling.Lock()
	defer g.settling.Unlock()
	g.cache.Clear()
}
