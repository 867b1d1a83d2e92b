package store

// Of a Near.
const (
	nearKeys = 16   // at once: at a kilobyte a value they fit into a processor's first cache together
	nearStep = 512  // bytes of a value's data between two that are read: the processor foresees what lies between
	nearMost = 1024 // bytes of a value's data that are brought: in more it has foreseen enough by then
)

// Near brings near what is kept for keys that are about to be looked for. Most of the time
// of a hit in a large store goes by waiting for memory, for one place after the other: the
// slot of the index, the value, its data. Here each step is taken for all of the keys before
// the next step is, so that they wait together.
//
// It changes nothing, and is no use of the values. The zero value is ready; it belongs to
// one goroutine.
type Near struct {
	n      int
	stores [nearKeys]*Store
	hashes [nearKeys]uint64
	values [nearKeys]*Value
	read   uint64 // a sum of what has been read: so that it is
}

// Add adds a key to those of the next Bring, and reports whether there is room for more.
func (n *Near) Add(s *Store, key string) bool {
	h := s.hash(key)
	n.read += s.stripe(h).values.touch(h)
	n.stores[n.n], n.hashes[n.n] = s, h
	n.n++
	return n.n < nearKeys
}

// Bring brings what is kept for the keys added since the last one.
func (n *Near) Bring() {
	found := n.values[:0]
	for i, h := range n.hashes[:n.n] {
		if v := n.stores[i].stripe(h).values.find(h); v != nil {
			n.read += uint64(v.Until) // in its second cache line: the first one comes with Data
			found = append(found, v)
		}
	}
	for _, v := range found {
		for at := 0; at < min(len(v.Data), nearMost); at += nearStep {
			n.read += uint64(v.Data[at])
		}
	}
	n.n = 0
}
