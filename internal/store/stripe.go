package store

import (
	"runtime"
	"sync"
	"sync/atomic"
)

const (
	stripeBits = 5
	stripes    = 1 << stripeBits
)

// stripe holds what the store knows of the keys that hash to it.
type stripe struct {
	entries index

	mu    sync.Mutex       // guards fills, and orders all that changes what is kept for a key
	fills map[uint64]*Fill // by hash: the open fills, a list each
	_     [64]byte         // keeps readers off the cache line that noting writes

	inside atomic.Int64 // goroutines that may be in ristretto's Get; far below zero once the store has closed
	_      [64]byte
}

const shut = -1 << 40

// enter admits a reader to ristretto, which must not be closed beside a reader.
// It is false once the store has closed.
func (st *stripe) enter() bool {
	if st.inside.Add(1) > 0 {
		return true
	}
	st.inside.Add(-1)
	return false
}

func (st *stripe) leave() { st.inside.Add(-1) }

// shut turns further readers away and waits for those inside. They take no lock
// that could be held for long, so the wait is short.
func (st *stripe) shut() {
	for n := st.inside.Add(shut); n > shut; n = st.inside.Load() {
		runtime.Gosched()
	}
}
