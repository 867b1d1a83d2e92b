package store

import "sync/atomic"

// Fill is one load or fetch that may end in a kept value. Whatever is dropped
// while it is open voids it. Each Fill must be ended, by Keep or by End.
type Fill struct {
	store *Store
	key   string
	hash  uint64
	since uint64 // the epoch in which it began
	void  atomic.Bool

	// Guarded by the stripe of hash.
	open       bool
	prev, next *Fill // in its list
}

// Begin opens a fill for key. It must be called before the load or fetch
// begins, for only what is dropped afterwards is seen to void it. Several fills
// of one key may be open at once.
func (s *Store) Begin(key string) *Fill {
	f := new(Fill)
	s.BeginAs(f, key)
	return f
}

// BeginAs is Begin with a Fill of the caller's, which is new or has ended.
func (s *Store) BeginAs(f *Fill, key string) {
	*f = Fill{store: s, key: key, hash: s.hash(key), open: true}
	st := s.stripe(f.hash)
	list := st.list(f.hash)
	st.mu.Lock()
	defer st.mu.Unlock()
	f.since = s.epochs.now.Load()
	if f.next = *list; f.next != nil {
		f.next.prev = f
	}
	*list = f
}

// list is where the open fills for h are, among others.
func (st *stripe) list(h uint64) **Fill { return &st.fills[h%fillLists] }

// end unlinks f. It reports whether f was open. The stripe is locked.
func (f *Fill) end(st *stripe) bool {
	if !f.open {
		return false
	}
	f.open = false
	if f.next != nil {
		f.next.prev = f.prev
	}
	if f.prev != nil {
		f.prev.next = f.next
	} else {
		*st.list(f.hash) = f.next
	}
	f.prev, f.next = nil, nil
	return true
}

// End ends f without keeping anything. It may be called again, and after Keep.
func (f *Fill) End() {
	st := f.store.stripe(f.hash)
	st.mu.Lock()
	defer st.mu.Unlock()
	f.end(st)
}

// Void reports whether Drop of the key or Clear has been called since Begin:
// what was loaded must not be kept, nor given to anybody who asks from now on.
// Dropped tags are not seen, for the tags are not known yet: see VoidFor.
func (f *Fill) Void() bool {
	return f.VoidFor(nil)
}

// VoidFor is Void for a load that turned out to carry tags.
func (f *Fill) VoidFor(tags []string) bool {
	return f.void.Load() || f.store.epochs.void(f.since, tags)
}

// Keep keeps v and ends f. It reports whether v is kept. It is not when the key,
// one of v.Tags or everything has been dropped since Begin, when f has ended,
// when the store has closed, when v is larger than a quarter of its budget, and
// when a live value (now < Until) is kept that
//   - comes from a load that began later, or
//   - has a higher Version, both being known, or
//   - comes from the same load and is owned, while v is a replica.
//
// A value that is kept can be read at once. How long it stays is up to the
// budget: values that are asked for seldom make room for others. v must not have
// been handed to Keep or Replace before; if it has, it is not kept.
func (f *Fill) Keep(v *Value, now int64) bool {
	s := f.store
	st := s.stripe(f.hash)
	st.mu.Lock()
	defer st.mu.Unlock()
	if !f.end(st) || v == nil || s.closed.Load() {
		return false
	}
	if f.VoidFor(v.Tags()) {
		s.discarded.Add(1)
		return false
	}
	g, cost := s.segment(v.Replica), charge(f.key, v)
	if v.payload() > g.limit/4 || cost > g.limit {
		return false
	}
	old := st.values.find(f.hash)
	if old != nil && old.key == f.key && s.live(old) && now < old.Until && outranks(old, v) {
		return false
	}
	if !v.hand(f.key, s.id(f.key), f.since) {
		return false
	}
	s.usage.add(v.Replica, cost)
	if old == nil || !st.values.swap(f.hash, old, v) { // readers find the one or the other
		st.values.put(f.hash, v)
	}
	if old != nil {
		s.discard(old, false)
		if old.key == f.key { // to be loaded again is a use
			v.uses.Store(min(old.uses.Load()+1, enough))
		}
	}
	lost := g.admit(s, f.hash, v, cost, now)
	if lost.evicted > 0 {
		s.evictions.Add(lost.evicted)
	}
	if lost.rejected > 0 {
		s.rejected.Add(lost.rejected)
	}
	return true
}

// outranks reports whether kept, which is live, stays although v has been loaded.
func outranks(kept, v *Value) bool {
	switch {
	case kept.Began > v.Began:
		return true
	case v.Version() != 0 && kept.Version() > v.Version():
		return true
	}
	return kept.Began == v.Began && !kept.Replica && v.Replica
}
