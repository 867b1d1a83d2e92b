package store

import "sync/atomic"

// overhead is charged for an entry beside its key and value. It is what measurement
// shows: the entry, its Value, its slot in the index, ristretto's two map slots and its counters.
const overhead = 448

// entry is the handle that stands for one key in the index, in the window and in
// ristretto. It is made by one Keep and never used for another, so that killing it
// is enough to make what it holds unreachable, wherever it may still be shown.
type entry struct {
	// What a hit reads comes first, in one cache line's bytes.
	hash    uint64
	key     string
	value   atomic.Pointer[Value] // nil: dead
	since   uint64                // the epoch in which the fill began
	checked atomic.Uint64         // the epoch up to which no tag of it has been dropped; the last there is if it has none
	home    *segment              // whose budget it is charged to
	noted   atomic.Uint32         // how often ristretto has been told of a use of late: see segment.full
	flags   atomic.Uint32

	cost       int64
	prev, next *entry // in the window; guarded by home.mu
}

const (
	used     = 1 << iota // kept or read since the window last looked
	left                 // ristretto has let go of it
	out                  // taken out of the index
	inWindow             // guarded by home.mu
)

func (e *entry) is(flag uint32) bool { return e.flags.Load()&flag != 0 }

// set and unset report whether that has changed anything.
func (e *entry) set(flag uint32) bool   { return e.flags.Or(flag)&flag == 0 }
func (e *entry) unset(flag uint32) bool { return e.flags.And(^flag)&flag != 0 }

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
