// Package store is one member's memory for one cache. It keeps values within two
// budgets, one for values that the member owns and one for replicas, and promises
// that what has been dropped is never read again: neither a value that was kept
// nor one whose load had begun.
//
// Readers find values in an index without a lock, and judge each by its state alone: who
// drops a value kills it in place, wherever it may still be shown. Striped locks guard
// the open fills and order what changes for a key; below them each budget has a lock that
// guards which values stay, see segment.
//
// The package reads no clock. The host passes the time, in nanoseconds on a
// clock of its own.
package store

import (
	"fmt"
	"hash/maphash"
	"math"
	"sync/atomic"
)

// DefaultOwnedBytes is the owned budget of a Config that names none.
const DefaultOwnedBytes = 64 << 20

// Config sizes a store. A value is charged its key, its data and the 240 bytes that
// measurement shows beside them.
type Config struct {
	OwnedBytes   int64 // for owned values; 0 means DefaultOwnedBytes
	ReplicaBytes int64 // for replicas; 0 or less: none are kept
}

// Store keeps values. Its methods may be called from any goroutine, and after
// Close, when they find and keep nothing.
type Store struct {
	seed     maphash.Seed
	other    maphash.Seed // of Value.id
	hashMask uint64       // all ones; tests narrow it to make keys collide
	closed   atomic.Bool

	stripes [stripes]stripe
	epochs  epochs

	owned, replica segment

	usage                          usage
	evictions, rejected, discarded atomic.Uint64
}

// New makes an empty store. It takes little memory until something is kept, and runs
// nothing: Close gives memory back early, and may be left out.
func New(cfg Config) (*Store, error) {
	if cfg.OwnedBytes < 0 {
		return nil, fmt.Errorf("%w: OwnedBytes is %d; it must be positive, or 0 for %d", ErrBudget, cfg.OwnedBytes, DefaultOwnedBytes)
	}
	if cfg.OwnedBytes == 0 {
		cfg.OwnedBytes = DefaultOwnedBytes
	}
	s := &Store{seed: maphash.MakeSeed(), other: maphash.MakeSeed(), hashMask: math.MaxUint64}
	s.epochs.seed = s.seed
	s.owned.init(cfg.OwnedBytes)
	s.replica.init(cfg.ReplicaBytes)
	return s, nil
}

func (s *Store) hash(key string) uint64 { return maphash.String(s.seed, key) & s.hashMask }

// id is a second hash of a key. Reads know a value by both, 128 bits that nobody outside the
// process can foresee: to compare the key would be to wait for one more place in memory.
func (s *Store) id(key string) uint64 { return maphash.String(s.other, key) }

// stripe picks by the high bits of the hash; its index probes by the low ones.
func (s *Store) stripe(h uint64) *stripe { return &s.stripes[h>>(64-stripeBits)] }

// Get returns what is kept for key and may be used at now, nil if there is
// nothing. A hit is a use of the value, allocates nothing and takes no lock, but for the
// first hit of a value with tags after each drop.
func (s *Store) Get(key string, now int64) *Value {
	if v := s.Peek(key); v != nil && now < v.Until {
		return v
	}
	return nil
}

// Fresh is Get for a value about which there is nothing to consider: it is neither an
// absence nor due to be renewed. Most reads are such. other: there is something else for
// key, which Peek returns; that is no use of it.
func (s *Store) Fresh(key string, now int64) (v *Value, other bool) {
	if v = s.find(key); v == nil {
		return nil, false
	}
	if now < v.plain {
		v.use()
		return v, false
	}
	return nil, true
}

// Peek returns what is kept for key even past its Until, as long as memory holds
// it, and nil otherwise. It is a use of the value, as Get is.
func (s *Store) Peek(key string) *Value {
	v := s.find(key)
	if v != nil {
		v.use()
	}
	return v
}

func (s *Store) find(key string) *Value {
	h := s.hash(key)
	v := s.stripe(h).values.find(h)
	if v == nil || v.id != s.id(key) || !s.live(v) {
		return nil
	}
	return v
}

// live reports whether v has not been dropped.
func (s *Store) live(v *Value) bool {
	state, valid := v.state.Load(), v.valid.Load()
	if state&dead != 0 || valid < s.epochs.cleared.Load() {
		return false
	}
	if state&tagged == 0 {
		return true
	}
	now := s.epochs.now.Load()
	if valid >= now {
		return true
	}
	if s.epochs.void(valid, v.Tags()) {
		s.discard(v, true)
		return false
	}
	v.valid.Store(now)
	return true
}

// Range calls fn for the values kept, until fn returns false. Values whose Until
// has passed are among them. What is kept or dropped meanwhile may be left out.
// fn may use the store.
func (s *Store) Range(fn func(key string, v *Value) bool) {
	for i := range s.stripes {
		for v := range s.stripes[i].values.each {
			if s.live(v) && !fn(v.key, v) {
				return
			}
		}
	}
}

// segment returns the memory for owned values, or for replicas.
func (s *Store) segment(replica bool) *segment {
	if replica {
		return &s.replica
	}
	return &s.owned
}

// Close gives all memory back. It may be called again, and beside any other method.
func (s *Store) Close() {
	s.closed.Store(true) // who keeps a value looks under its stripe's lock, which Sweep takes
	s.epochs.clear()
	s.Sweep()
}
