package store

// Drop forgets key: once it has returned, no Get sees what was kept, or begun to
// be loaded, before it was called.
func (s *Store) Drop(key string) {
	h := s.hash(key)
	st := s.stripe(h)
	st.mu.Lock()
	defer st.mu.Unlock()
	for f := st.fills[h]; f != nil; f = f.next {
		if f.key == key {
			f.void.Store(true)
		}
	}
	if v := st.values.find(h); v != nil && v.key == key {
		s.discard(v, true)
	}
}

// DropTag is Drop for all keys whose values carry tag. Its cost does not depend
// on how many they are: each is found out when it is next read.
func (s *Store) DropTag(tag string) { s.epochs.dropTag(tag) }

// Clear is Drop for all keys. It takes time in proportion to what is kept, to
// give the memory back.
func (s *Store) Clear() {
	s.epochs.clear()
	s.sweep()
}

// sweep takes out all that has been cleared.
func (s *Store) sweep() {
	cleared := s.epochs.cleared.Load()
	for i := range s.stripes {
		st := &s.stripes[i]
		st.mu.Lock()
		for v := range st.values.each {
			if v.valid.Load() < cleared {
				s.discard(v, false)
			}
		}
		st.values.rebuild() // its table was as large as what was in it
		st.mu.Unlock()
	}
}

// Replace puts v in the place of old and reports whether it did: it does not
// when old is not what is kept. It is for a value whose circumstances have
// changed: a life renewed, or an owned value that has become a replica. v must
// have old's Data, cost and tags, and voids as old would have. It stays in the
// memory that old was in, whatever its class.
func (s *Store) Replace(key string, old, v *Value) bool {
	if old == nil || v == nil {
		return false
	}
	h := s.hash(key)
	st := s.stripe(h)
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.values.find(h) != old || s.live(old, key) == nil || !v.set(handed) {
		return false
	}
	v.hash, v.key, v.guest = h, old.key, old.guest
	v.valid.Store(old.valid.Load())
	v.uses.Store(old.uses.Load())
	return s.segment(old.guest).replace(s, st, old, v)
}

// discard kills v and takes it out wherever it is, and reports whether it had come
// off probation. v's stripe is locked. dropped: it is not because another takes its place.
func (s *Store) discard(v *Value, dropped bool) (proven bool) {
	s.kill(v)
	proven = s.segment(v.guest).remove(v, dropped)
	s.stripe(v.hash).values.remove(v)
	return proven
}

// forget is discard for who has v out of its queue, and holds no lock of its stripe. It
// reports whether v was alive.
func (s *Store) forget(v *Value) bool {
	alive := s.kill(v) && v.valid.Load() >= s.epochs.cleared.Load()
	s.stripe(v.hash).values.remove(v)
	return alive
}

// retire is discard for a reader, who holds no lock and has found that a tag of v has been dropped.
func (s *Store) retire(v *Value) {
	if s.kill(v) {
		s.segment(v.guest).remove(v, true)
		s.stripe(v.hash).values.remove(v)
	}
}

// kill makes v unreachable for ever, wherever it may still be shown, and reports whether
// it was reachable.
func (s *Store) kill(v *Value) bool {
	if !v.set(dead) {
		return false
	}
	s.usage.remove(v.Replica, charge(v.key, v))
	return true
}
