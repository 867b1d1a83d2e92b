package loader

// table finds the flights of a stripe by key: a chain of them for each bucket of hashes.
// The zero value is ready.
type table[T any] struct {
	buckets []*Flight[T] // a power of two of them, about as many as flights
	n       int
}

const leastBuckets = 8

func (t *table[T]) bucket(h uint64) **Flight[T] { return &t.buckets[h&uint64(len(t.buckets)-1)] }

// find returns the flight for key, whose hash is h; nil if there is none.
func (t *table[T]) find(h uint64, key string) *Flight[T] {
	if t.n == 0 {
		return nil
	}
	f := *t.bucket(h)
	for f != nil && (f.hash != h || f.key != key) {
		f = f.next
	}
	return f
}

// put puts in f, for whose key there is none.
func (t *table[T]) put(f *Flight[T]) {
	if t.n >= len(t.buckets) {
		t.resize(max(leastBuckets, 2*len(t.buckets)))
	}
	b := t.bucket(f.hash)
	f.next, *b = *b, f
	t.n++
}

// remove takes out f, which is there.
func (t *table[T]) remove(f *Flight[T]) {
	at := t.bucket(f.hash)
	for *at != f {
		at = &(*at).next
	}
	*at, f.next = f.next, nil
	if t.n--; t.n == 0 && len(t.buckets) > 16*leastBuckets {
		t.buckets = nil // there were many: the memory goes back
	}
}

func (t *table[T]) resize(n int) {
	old := t.buckets
	t.buckets = make([]*Flight[T], n)
	for _, f := range old {
		for f != nil {
			next := f.next
			b := t.bucket(f.hash)
			f.next, *b = *b, f
			f = next
		}
	}
}

// clear takes out all, and calls fn for each.
func (t *table[T]) clear(fn func(*Flight[T])) {
	old := t.buckets
	t.buckets, t.n = nil, 0
	for _, f := range old {
		for f != nil {
			next := f.next
			f.next = nil
			fn(f)
			f = next
		}
	}
}
