// Package store is one member's memory for one cache. It keeps values within two
// budgets, one for values that the member owns and one for replicas, and promises
// that what has been dropped is never read again: neither a value that was kept
// nor one whose load had begun.
//
// Ristretto decides what stays, but it alone could not promise that: it applies
// what it is told later, in part, and not in every order. So it holds handles
// (entry), which the store kills in place. Striped locks guard the open fills and
// the entries that ristretto does not show: those in a recency window before it,
// and those handed to it that a barrier has not yet confirmed.
//
// The package reads no clock. The host passes the time, in nanoseconds on a
// clock of its own.
package store

import (
	"fmt"
	"hash/maphash"
	"math"
	"sync"
	"sync/atomic"
)

// DefaultOwnedBytes is the owned budget of a Config that names none.
const DefaultOwnedBytes = 64 << 20

// Config sizes a store. Of each budget a tenth is the recency window; an entry is
// charged its key, its value and the 448 bytes that measurement shows beside them.
type Config struct {
	OwnedBytes   int64 // for owned values; 0 means DefaultOwnedBytes
	ReplicaBytes int64 // for replicas; 0 or less: none are kept
}

// Store keeps values. Its methods may be called from any goroutine, and after
// Close, when they find and keep nothing.
type Store struct {
	seed     maphash.Seed
	hashMask uint64 // all ones; tests narrow it to make keys collide
	cfg      Config

	owned, replica atomic.Pointer[segment] // made when first needed, nil again after Close
	making         sync.Mutex              // guards the making of segments

	stripes [stripes]stripe
	epochs  epochs

	usage                          usage
	evictions, rejected, discarded atomic.Uint64

	life    sync.RWMutex // held shared by all that writes to ristretto; guards closed
	closed  bool
	closing sync.Once
	done    chan struct{}  // closed by Close
	settler atomic.Bool    // settleAll runs
	running sync.WaitGroup // settleAll
}

// New makes an empty store. It takes little memory until something is kept.
// Close must be called when it is no longer needed.
func New(cfg Config) (*Store, error) {
	if cfg.OwnedBytes < 0 {
		return nil, fmt.Errorf("%w: OwnedBytes is %d; it must be positive, or 0 for %d", ErrBudget, cfg.OwnedBytes, DefaultOwnedBytes)
	}
	if cfg.OwnedBytes == 0 {
		cfg.OwnedBytes = DefaultOwnedBytes
	}
	s := &Store{seed: maphash.MakeSeed(), hashMask: math.MaxUint64, cfg: cfg, done: make(chan struct{})}
	s.epochs.seed = s.seed
	return s, nil
}

func (s *Store) hash(key string) uint64 { return maphash.String(s.seed, key) & s.hashMask }

// stripe picks by the high bits of the hash; ristretto picks its shards by the low ones.
func (s *Store) stripe(h uint64) *stripe { return &s.stripes[h>>(64-stripeBits)] }

// Get returns what is kept for key and may be used at now, nil if there is
// nothing. A hit allocates nothing and takes no lock that all keys share.
func (s *Store) Get(key string, now int64) *Value {
	if v := s.Peek(key); v != nil && now < v.Until {
		return v
	}
	return nil
}

// Peek returns what is kept for key even past its Until, as long as memory holds
// it, and nil otherwise. To ristretto it is a use like any other.
func (s *Store) Peek(key string) *Value {
	h := s.hash(key)
	st := s.stripe(h)
	if !st.enter() {
		return nil
	}
	v := s.look(st, h, key)
	st.leave()
	return v
}

func (s *Store) look(st *stripe, h uint64, key string) *Value {
	for {
		moved := st.moved.Load()
		if g := s.owned.Load(); g != nil {
			if e, ok := g.cache.Get(h); ok {
				if v := s.live(e, key); v != nil {
					return v
				}
			}
		}
		if g := s.replica.Load(); g != nil {
			if e, ok := g.cache.Get(h); ok {
				if v := s.live(e, key); v != nil {
					return v
				}
			}
		}
		st.mu.RLock()
		e := st.front[h]
		again := st.moved.Load() != moved
		st.mu.RUnlock()
		if e != nil {
			if v := s.live(e, key); v != nil {
				if !e.used.Load() {
					e.used.Store(true)
				}
				return v
			}
		}
		if !again {
			return nil
		}
		// An entry has left front since ristretto was asked: it may be there by now.
	}
}

// live returns what e holds for key, nil if it is another key's or has been dropped.
func (s *Store) live(e *entry, key string) *Value {
	v := e.value.Load()
	if v == nil || e.key != key || e.since < s.epochs.cleared.Load() {
		return nil
	}
	if len(e.tags) == 0 {
		return v
	}
	now := s.epochs.now.Load()
	if e.checked.Load() >= now {
		return v
	}
	if s.epochs.void(e.since, e.tags) {
		e.retire(v)
		return nil
	}
	e.checked.Store(now)
	return v
}

// find returns the one entry that may be live for hash h. The stripe is locked.
func (s *Store) find(st *stripe, h uint64) *entry {
	if e := st.front[h]; e != nil {
		return e
	}
	for _, g := range s.segments() {
		if g == nil {
			continue
		}
		if e := g.find(h); e != nil {
			return e
		}
	}
	return nil
}

// Range calls fn for the values kept, until fn returns false. Values whose Until
// has passed are among them. What is kept or dropped meanwhile may be left out.
// fn may use the store.
func (s *Store) Range(fn func(key string, v *Value) bool) {
	for _, e := range s.entries() {
		if v := s.live(e, e.key); v != nil && !fn(e.key, v) {
			return
		}
	}
}

// entries collects the entries of all places, each once. Those in front come
// first: an entry that moves on meanwhile is then found in ristretto, or twice.
func (s *Store) entries() []*entry {
	s.life.RLock()
	defer s.life.RUnlock()
	var all []*entry
	seen := make(map[*entry]bool)
	for i := range s.stripes {
		st := &s.stripes[i]
		st.mu.RLock()
		for _, e := range st.front {
			all = append(all, e)
			seen[e] = true
		}
		st.mu.RUnlock()
	}
	for _, g := range s.segments() {
		if g == nil {
			continue
		}
		g.cache.IterValues(func(e *entry) (stop bool) {
			if !seen[e] {
				all = append(all, e)
			}
			return false
		})
	}
	return all
}

// segments returns both segments, nil for those that do not exist.
func (s *Store) segments() [2]*segment {
	return [2]*segment{s.owned.Load(), s.replica.Load()}
}

// segmentFor returns the segment for v, nil if v is too large to be kept.
func (s *Store) segmentFor(v *Value) *segment {
	at, budget := &s.owned, s.cfg.OwnedBytes
	if v.Replica {
		at, budget = &s.replica, s.cfg.ReplicaBytes
	}
	if budget <= 0 || v.payload() > budget/4 {
		return nil
	}
	if g := at.Load(); g != nil {
		return g
	}
	s.making.Lock()
	defer s.making.Unlock()
	if g := at.Load(); g != nil {
		return g
	}
	g, err := newSegment(s, budget)
	if err != nil {
		return nil // New has checked all that ristretto checks
	}
	at.Store(g)
	return g
}

// Close gives all memory back and ends the store's goroutines. It may be called
// again, and beside any other method.
func (s *Store) Close() {
	s.closing.Do(func() {
		s.life.Lock()
		s.closed = true
		s.life.Unlock()
		s.epochs.clear() // what goes now has not been evicted
		close(s.done)
		s.running.Wait()
		for i := range s.stripes {
			st := &s.stripes[i]
			st.shut()
			st.mu.Lock()
			for _, e := range st.front {
				e.kill()
			}
			st.front, st.fills = nil, nil
			st.mu.Unlock()
		}
		for _, g := range s.segments() {
			if g != nil {
				g.cache.Close()
			}
		}
		s.owned.Store(nil)
		s.replica.Store(nil)
	})
}
