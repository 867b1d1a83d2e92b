package store

import "sync/atomic"

// overhead is charged for an entry beside its key and value. It is what measurement
// shows: the entry, its Value, ristretto's two map slots and its counters.
const overhead = 448

// entry is the handle that stands for one key in the index, in the window and in
// ristretto. It is made by one Keep and never used for another, so that killing it
// is enough to make what it holds unreachable, wherever it may still be shown.
type entry struct {
	hash  uint64
	key   string
	value atomic.Pointer[Value] // nil: dead
	since uint64                // the epoch in which the fill began
	home  *segment              // whose budget it is charged to
	noted atomic.Uint32         // how often ristretto has been told of a use of late: see segment.full
	used  atomic.Bool           // kept or read since the window last looked
	left  atomic.Bool           // ristretto has let go of it
	out   atomic.Bool           // taken out of the index
	cost  int64

	tags    []string      // of the value; Replace does not change them
	checked atomic.Uint64 // the epoch up to which no tag of it has been dropped

	// Guarded by home.mu.
	inWindow   bool
	prev, next *entry
}

// charge returns what an entry for v under key costs.
func charge(key string, v *Value) int64 {
	n := int64(len(key)+len(v.ETag)) + v.payload() + overhead
	for _, t := range v.Tags {
		n += int64(len(t)) + 16
	}
	return n
}

// kill makes e unreachable for ever. It returns the value that e held, nil if
// e was dead already. It takes no lock, so that ristretto's callbacks may use it.
func (e *entry) kill() *Value {
	v := e.value.Swap(nil)
	if v != nil {
		e.home.usage.remove(v.Replica, e.cost)
	}
	return v
}

// retire kills e if it still holds v.
func (e *entry) retire(v *Value) {
	if e.value.CompareAndSwap(v, nil) {
		e.home.usage.remove(v.Replica, e.cost)
	}
}
