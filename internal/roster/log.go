package roster

import "slices"

// record is one applied invalidation in the log. A record whose source has been
// forgotten has no src any more.
type record struct {
	src *source
	n   uint64
	Target
}

// log holds the content of the latest applied invalidations, found by key.
// It only spares loads: whoever asks for what it has lost drops everything.
type log struct {
	limit int // records
	recs  []record
	head  int    // recs before it are evicted
	first uint64 // position of recs[0]: positions grow for ever
	bytes int
	keys  map[Target][]uint64 // positions by key
	wide  map[string][]uint64 // positions of ByTag and All, by cache
}

// logBytes is how many bytes the log may hold for each record of its limit, so
// that long keys do not turn a bounded log into an unbounded memory.
const logBytes = 1024

func newLog(limit int) *log {
	return &log{limit: limit, keys: map[Target][]uint64{}, wide: map[string][]uint64{}}
}

// size is the most that a record takes in a message, whatever the ID of its source.
func size(t Target) int { return len(t.Cache) + len(t.Key) + 112 }

// add appends a record and evicts the oldest past the limits; a source of an
// evicted record no longer has the content up to its number.
func (l *log) add(r record) {
	at := l.first + uint64(len(l.recs))
	l.recs = append(l.recs, r)
	l.bytes += size(r.Target)
	if r.Kind == ByKey {
		l.keys[r.Target] = append(l.keys[r.Target], at)
	} else {
		l.wide[r.Cache] = append(l.wide[r.Cache], at)
	}
	for l.len() > l.limit || l.bytes > l.limit*logBytes {
		l.evict()
	}
}

func (l *log) len() int { return len(l.recs) - l.head }

func (l *log) evict() {
	r := l.recs[l.head]
	l.recs[l.head] = record{}
	l.head++
	l.bytes -= size(r.Target)
	if r.src != nil {
		r.src.base = max(r.src.base, r.n)
	}
	if r.Kind == ByKey {
		pop(l.keys, r.Target)
	} else {
		pop(l.wide, r.Cache)
	}
	if l.head >= 1024 && l.head > len(l.recs)/2 {
		l.first += uint64(l.head)
		l.recs = append([]record(nil), l.recs[l.head:]...)
		l.head = 0
	}
}

func pop[K comparable](index map[K][]uint64, k K) {
	if at := index[k][1:]; len(at) > 0 {
		index[k] = at
	} else {
		delete(index, k)
	}
}

// forget takes a source out of the log; its records leave when their turn comes.
func (l *log) forget(s *source) {
	for i := l.head; i < len(l.recs); i++ {
		if l.recs[i].src == s {
			l.recs[i].src = nil
		}
	}
}

// skip is the first position from pos on whose record is remembered and does not pass.
func (l *log) skip(pos uint64, passes func(*record) bool) uint64 {
	i := l.head
	if low := l.first + uint64(l.head); pos > low {
		i += int(pos - low)
	}
	for i < len(l.recs) && (l.recs[i].src == nil || passes(&l.recs[i])) {
		i++
	}
	return l.first + uint64(i)
}

// each calls f with the records at the positions, ascending, from start on, whose source
// is remembered.
func (l *log) each(at []uint64, start uint64, f func(*record)) {
	i, _ := slices.BinarySearch(at, start)
	for _, pos := range at[i:] {
		if r := &l.recs[pos-l.first]; r.src != nil {
			f(r)
		}
	}
}

// all calls f with every record whose source is remembered, oldest first.
func (l *log) all(f func(*record)) {
	for i := l.head; i < len(l.recs); i++ {
		if r := &l.recs[i]; r.src != nil {
			f(r)
		}
	}
}
