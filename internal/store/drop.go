package store

// Drop forgets key: once it has returned, no Get sees what was kept, or begun to
// be loaded, before it was called.
func (s *Store) Drop(key string) {
	s.life.RLock()
	defer s.life.RUnlock()
	if s.closed {
		return
	}
	h := s.hash(key)
	st := s.stripe(h)
	st.mu.Lock()
	defer st.mu.Unlock()
	for f := st.fills[h]; f != nil; f = f.next {
		if f.key == key {
			f.void.Store(true)
		}
	}
	if e := st.entries.find(h); e != nil && e.key == key {
		s.discard(st, e)
	}
}

// DropTag is Drop for all keys whose values carry tag. Its cost does not depend
// on how many they are: each is found out when it is next read.
func (s *Store) DropTag(tag string) { s.epochs.dropTag(tag) }

// Clear is Drop for all keys. It takes time in proportion to what is kept, to
// give the memory back.
func (s *Store) Clear() {
	s.life.RLock()
	defer s.life.RUnlock()
	if s.closed {
		return
	}
	s.epochs.clear()
	cleared := s.epochs.cleared.Load()
	for i := range s.stripes {
		st := &s.stripes[i]
		st.mu.Lock()
		for e := range st.entries.each {
			if e.since < cleared && e.home.waits(e) {
				s.discard(st, e)
			}
		}
		st.mu.Unlock()
	}
	for _, g := range s.segments() {
		if g != nil {
			g.clear()
		}
	}
	for i := range s.stripes { // their tables were as large as what was in them
		st := &s.stripes[i]
		st.mu.Lock()
		st.entries.rebuild()
		st.mu.Unlock()
	}
}

// Replace puts v in the place of old and reports whether it did: it does not
// when old is not what is kept. It is for a value whose circumstances have
// changed: a life renewed, or an owned value that has become a replica. v must
// have old's Data, cost and tags, and voids as old would have. It stays in the
// memory that old was in, whatever its class.
func (s *Store) Replace(key string, old, v *Value) bool {
	s.life.RLock()
	defer s.life.RUnlock()
	if s.closed || old == nil || v == nil {
		return false
	}
	h := s.hash(key)
	st := s.stripe(h)
	st.mu.Lock()
	defer st.mu.Unlock()
	e := st.entries.find(h)
	if e == nil || s.live(e, key) != old {
		return false
	}
	s.usage.add(v.Replica, e.cost)
	if !e.value.CompareAndSwap(old, v) { // evicted meanwhile
		s.usage.remove(v.Replica, e.cost)
		return false
	}
	s.usage.remove(old.Replica, e.cost)
	return true
}

// discard kills e and removes it wherever it is. Its stripe is locked.
func (s *Store) discard(st *stripe, e *entry) {
	e.kill()
	e.home.remove(e)
	st.entries.remove(e)
}
