package main

import (
	"math/bits"
	"sync"
	"time"

	"github.com/cachemesh/cachemesh/mesh"
)

// tally is what one reader has seen. Each reader has its own, so that counting
// costs the readers nothing; the report adds them up.
type tally struct {
	mu       sync.Mutex // guards the rest: the reader writes, the progress line reads
	bySource [mesh.Bypass + 1]latencies
	outdated int // reads that an Invalidate had forbidden
	checked  int // reads of keys that had been invalidated
	errors   int
	firstErr error
	lost     int       // reads under way on the member that was killed
	death    latencies // reads that were under way at the death, or began within the lease after it
}

// add adds what another has seen.
func (t *tally) add(o *tally) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range t.bySource {
		t.bySource[i].add(&o.bySource[i])
	}
	t.outdated += o.outdated
	t.checked += o.checked
	t.errors += o.errors
	if t.firstErr == nil {
		t.firstErr = o.firstErr
	}
	t.lost += o.lost
	t.death.add(&o.death)
}

// all is the latencies of all reads that were answered.
func (t *tally) all() *latencies {
	var sum latencies
	for i := range t.bySource {
		sum.add(&t.bySource[i])
	}
	return &sum
}

// latencies counts durations in buckets that grow with them: 16 to each power of
// two, so that a quantile is right within 6%.
type latencies struct {
	buckets [40 * bucketsPerOctave]uint32 // up to hours
	n       uint64
	max     time.Duration
}

const bucketsPerOctave = 16

func bucketOf(d time.Duration) int {
	n := uint64(max(d, 0))
	if n < bucketsPerOctave {
		return int(n)
	}
	shift := bits.Len64(n) - 5 // leaves five bits: a leading one and four that tell the bucket
	return min(shift*bucketsPerOctave+int(n>>shift), len(latencies{}.buckets)-1)
}

// bucketTop is the longest duration of a bucket.
func bucketTop(i int) time.Duration {
	if i < 2*bucketsPerOctave {
		return time.Duration(i)
	}
	shift := i/bucketsPerOctave - 1
	return time.Duration(uint64(i%bucketsPerOctave+bucketsPerOctave+1)<<shift - 1)
}

func (l *latencies) record(d time.Duration) {
	l.buckets[bucketOf(d)]++
	l.n++
	l.max = max(l.max, d)
}

func (l *latencies) add(o *latencies) {
	for i, n := range o.buckets {
		l.buckets[i] += n
	}
	l.n += o.n
	l.max = max(l.max, o.max)
}

// quantile is the duration that a share q of them did not exceed.
func (l *latencies) quantile(q float64) time.Duration {
	rank := uint64(q * float64(l.n))
	for i, n := range l.buckets {
		if n := uint64(n); rank < n {
			return min(bucketTop(i), l.max)
		}
		rank -= uint64(n)
	}
	return l.max
}
