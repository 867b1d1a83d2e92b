package store

// Drop forgets key: once it has returned, no Get sees what was kept, or begun to
// be loaded, before it was called.
func (s *Store) Drop(key string) {
	h := s.hash(key)
	st := s.stripe(h)
	st.mu.Lock()
	defer st.mu.Unlock()
	for f := *st.list(h); f != nil; f = f.next {
		if f.hash == h && f.key == key {
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

// Clear is Drop for all keys. Its cost does not depend on how many they are: Sweep
// gives the memory back, and until then Stats counts it.
func (s *Store) Clear() { s.epochs.clear() }

// Sweep takes out all that has been cleared, in time in proportion to what is kept.
func (s *Store) Sweep() {
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
// when old is not what is kept, nor when v costs more or less. It is for a value whose circumstances have
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
	if st.values.find(h) != old || old.key != key || charge(key, old) != charge(key, v) || !s.live(old) || !v.hand(old.key, old.id, old.valid.Load()) {
		return false
	}
	v.guest = old.guest
	v.uses.Store(old.uses.Load())
	return s.segment(v.guest).replace(s, st, h, old, v)
}

// discard kills v and takes it out wherever it is. dropped: it is not because another
// takes its place.
func (s *Store) discard(v *Value, dropped bool) {
	s.kill(v)
	h := s.hash(v.key)
	s.segment(v.guest).remove(v, h, dropped)
	s.stripe(h).values.remove(h, v)
}

// forget is discard for who has taken v out of its queue. It reports whether v was alive.
func (s *Store) forget(v *Value, h uint64) bool {
	alive := s.kill(v) && v.valid.Load() >= s.epochs.cleared.Load()
	s.stripe(h).values.remove(h, v)
	return alive
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
