package store

import "sync/atomic"

// index finds the values of one stripe by hash, at most one for each. Readers take
// no lock: a hit costs them three loads. Values are put in under the stripe's lock, and
// may be taken out without it, as by who makes room for a value of another stripe.
//
// It is an open hash table with linear probing. What has been taken out leaves a mark,
// so that probes go on past it; marks are used again, and go when the table is rebuilt.
type index struct {
	table atomic.Pointer[table]
	used  int // slots of table that are not empty, marks included; guarded by the stripe
}

// table has a power of two of slots, of which at least a quarter is empty. Slots that
// readers have seen never become empty again.
type table []slot

// slot is a place for one value. hash is that of the value's key, so that who probes past it
// need not look at the value; it is written before the value, and read after it.
type slot struct {
	hash  atomic.Uint64
	value atomic.Pointer[Value]
}

const smallestTable = 8

// gone marks a slot whose value has been taken out.
var gone = new(Value)

// find returns the value for h, nil if there is none.
func (x *index) find(h uint64) *Value {
	p := x.table.Load()
	if p == nil {
		return nil
	}
	t := *p
	for i := h; ; i++ {
		at := &t[i&uint64(len(t)-1)]
		v := at.value.Load()
		if v == nil || at.hash.Load() == h && v != gone {
			return v
		}
	}
}

// touch reads the slot where the value for h is or nearly is.
func (x *index) touch(h uint64) uint64 {
	p := x.table.Load()
	if p == nil {
		return 0
	}
	t := *p
	return t[h&uint64(len(t)-1)].hash.Load()
}

// put puts v in. What there was for its hash has been removed. The stripe is locked.
func (x *index) put(h uint64, v *Value) {
	p := x.table.Load()
	if p == nil || (x.used+1)*4 > len(*p)*3 {
		p = x.rebuild()
	}
	t := *p
	for i := h; ; i++ {
		at := &t[i&uint64(len(t)-1)]
		switch at.value.Load() {
		case nil:
			x.used++
		case gone:
		default:
			continue
		}
		at.hash.Store(h)
		at.value.Store(v)
		return
	}
}

// remove takes v out for good. It needs no lock.
func (x *index) remove(h uint64, v *Value) {
	v.set(out)
	x.change(h, v, gone)
}

// swap puts v in the place of old, and reports whether old was there. The stripe is locked.
func (x *index) swap(h uint64, old, v *Value) bool { return x.change(h, old, v) }

// change puts next into the slot of v, if v is there.
func (x *index) change(h uint64, v, next *Value) bool {
	p := x.table.Load()
	if p == nil {
		return false
	}
	t := *p
	for i := h; ; i++ {
		at := &t[i&uint64(len(t)-1)]
		switch at.value.Load() {
		case nil:
			return false
		case v:
			return at.value.CompareAndSwap(v, next)
		}
	}
}

// rebuild makes a table, without marks, that is half full at most when one more has been
// put in. The stripe is locked.
func (x *index) rebuild() *table {
	n := 0
	for range x.each {
		n++
	}
	size := smallestTable
	for size < 2*(n+1) {
		size *= 2
	}
	t := make(table, size)
	x.used = 0
	if p := x.table.Load(); p != nil {
		for i := range *p {
			at := &(*p)[i]
			v := at.value.Load()
			if !held(v) {
				continue
			}
			h := at.hash.Load()
			j := h
			for t[j&uint64(size-1)].value.Load() != nil {
				j++
			}
			t[j&uint64(size-1)].hash.Store(h)
			t[j&uint64(size-1)].value.Store(v)
			x.used++
		}
	}
	x.table.Store(&t)
	// What has been removed since it was copied may have been found in the old table alone.
	// What is removed from now on is looked for in the new one.
	for i := range t {
		if v := t[i].value.Load(); v != nil && v.is(out) {
			t[i].value.CompareAndSwap(v, gone)
		}
	}
	return &t
}

// held reports whether a slot's v stands for a key.
func held(v *Value) bool { return v != nil && v != gone && !v.is(out) }

// each goes through all values, dead ones that have not been taken out included.
func (x *index) each(yield func(*Value) bool) {
	p := x.table.Load()
	if p == nil {
		return
	}
	for i := range *p {
		if v := (*p)[i].value.Load(); held(v) && !yield(v) {
			return
		}
	}
}
