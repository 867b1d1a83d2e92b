package store

import (
	"runtime"
	"sync"
	"sync/atomic"
)

const (
	stripeBits = 7
	stripes    = 1 << stripeBits
)

// stripe holds what the store itself knows of the keys that hash to it.
type stripe struct {
	mu    sync.RWMutex      // guards front and fills, and orders all that changes what is kept for a key
	front map[uint64]*entry // by hash: entries in the window, and those that ristretto has not yet confirmed
	fills map[uint64]*Fill  // by hash: the open fills, a list each

	moved  atomic.Uint32 // counts the times that entries left front for ristretto
	inside atomic.Int64  // readers that may be in ristretto; far below zero once the store has closed
	_      [64]byte      // keeps neighbours off the cache line that readers write
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

// put makes e the one entry for its hash in front. The stripe is locked.
func (st *stripe) put(e *entry) {
	if st.front == nil {
		st.front = make(map[uint64]*entry)
	}
	st.front[e.hash] = e
}

// forget takes e out of front if it is there. The stripe is locked.
func (st *stripe) forget(e *entry) {
	if st.front[e.hash] == e {
		delete(st.front, e.hash)
		st.moved.Add(1)
	}
}
