// Package store is one member's memory for one cache. It keeps values within two
// budgets, one for values that the member owns and one for replicas, and promises
// that what has been dropped is never read again: neither a value that was kept
// nor one whose load had begun.
//
// Ristretto decides what stays, but it alone could not promise that: it applies
// what it is told later, in part, and not in every order. So it holds handles
// (entry), which the store kills in place, and which readers find in an index of the store's
// own, without a lock. Striped locks guard the open fills and order what changes the index.
// Before ristretto there is a recency window, for it gives new keys no time to prove themselves.
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
	s := &Store{seed: maphash.MakeSeed(), hashMask: math.MaxUint64, cfg: cfg}
	s.epochs.seed = s.seed
	return s, nil
}

func (s *Store) hash(key string) uint64 { return maphash.String(s.seed, key) & s.hashMask }

// stripe picks by the high bits of the hash; ristretto picks its shards by the low ones.
func (s *Store) stripe(h uint64) *stripe { return &s.stripes[h>>(64-stripeBits)] }

// Get returns what is kept for key and may be used at now, nil if there is
// nothing. A hit is a use of the value, allocates nothing and takes no lock.
func (s *Store) Get(key string, now int64) *Value {
	if v := s.Peek(key); v != nil && now < v.Until {
		return v
	}
	return nil
}

// Peek returns what is kept for key even past its Until, as long as memory holds
// it, and nil otherwise. It is a use of the value, as Get is.
func (s *Store) Peek(key string) *Value {
	h := s.hash(key)
	e := s.stripe(h).entries.find(h)
	if e == nil {
		return nil
	}
	v := s.live(e, key)
	if v != nil && (e.noted.Load() != e.home.full.Load() || !e.is(used)) {
		s.use(e)
	}
	return v
}

// use notes that e has been read, for the policies that decide what stays.
func (s *Store) use(e *entry) {
	if !e.is(used) {
		e.set(used)
	}
	if e.noted.Load() == e.home.full.Load() {
		return
	}
	if st := s.stripe(e.hash); st.enter() {
		e.home.note(e)
		st.leave()
	}
}

// live returns what e holds for key, nil if it is another key's or has been dropped.
func (s *Store) live(e *entry, key string) *Value {
	v := e.value.Load()
	if v == nil || e.key != key || e.since < s.epochs.cleared.Load() {
		return nil
	}
	now := s.epochs.now.Load()
	if e.checked.Load() >= now {
		return v
	}
	if s.epochs.void(e.since, v.Tags) {
		e.retire(v)
		return nil
	}
	e.checked.Store(now)
	return v
}

// Range calls fn for the values kept, until fn returns false. Values whose Until
// has passed are among them. What is kept or dropped meanwhile may be left out.
// fn may use the store.
func (s *Store) Range(fn func(key string, v *Value) bool) {
	for i := range s.stripes {
		for e := range s.stripes[i].entries.each {
			if v := s.live(e, e.key); v != nil && !fn(e.key, v) {
				return
			}
		}
	}
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
		for i := range s.stripes {
			st := &s.stripes[i]
			st.shut()
			st.mu.Lock()
			for e := range st.entries.each {
				e.kill()
			}
			st.entries.table.Store(nil)
			st.fills = nil
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
