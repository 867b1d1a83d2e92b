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
type table []atomic.Pointer[Value]

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
		e := t[i&uint64(len(t)-1)].Load()
		if e == nil || e.hash == h && e != gone {
			return e
		}
	}
}

// put puts v in. What there was for its hash has been removed. The stripe is locked.
func (x *index) put(e *Value) {
	p := x.table.Load()
	if p == nil || (x.used+1)*4 > len(*p)*3 {
		p = x.rebuild()
	}
	t := *p
	for i := e.hash; ; i++ {
		slot := &t[i&uint64(len(t)-1)]
		switch slot.Load() {
		case nil:
			x.used++
			slot.Store(e)
			return
		case gone:
			slot.Store(e)
			return
		}
	}
}

// remove takes e out for good. It needs no lock.
func (x *index) remove(e *Value) {
	e.set(out)
	p := x.table.Load()
	if p == nil {
		return
	}
	t := *p
	for i := e.hash; ; i++ {
		slot := &t[i&uint64(len(t)-1)]
		switch slot.Load() {
		case nil:
			return
		case e:
			slot.CompareAndSwap(e, gone)
			return
		}
	}
}

// swap puts v in the place of old, if that is there. The stripe is locked.
func (x *index) swap(old, v *Value) {
	p := x.table.Load()
	if p == nil {
		return
	}
	t := *p
	for i := old.hash; ; i++ {
		slot := &t[i&uint64(len(t)-1)]
		switch slot.Load() {
		case nil:
			return
		case old:
			slot.CompareAndSwap(old, v)
			return
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
	for e := range x.each {
		i := e.hash
		for t[i&uint64(size-1)].Load() != nil {
			i++
		}
		t[i&uint64(size-1)].Store(e)
		x.used++
	}
	x.table.Store(&t)
	// What has been removed since it was copied may have been found in the old table alone.
	// What is removed from now on is looked for in the new one.
	for i := range t {
		if e := t[i].Load(); e != nil && e.is(out) {
			t[i].CompareAndSwap(e, gone)
		}
	}
	return &t
}

// each goes through all values, dead ones that have not been taken out included.
func (x *index) each(yield func(*Value) bool) {
	p := x.table.Load()
	if p == nil {
		return
	}
	for i := range *p {
		if e := (*p)[i].Load(); e != nil && e != gone && !e.is(out) && !yield(e) {
			return
		}
	}
}
