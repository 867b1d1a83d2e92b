package main

import (
	"math/bits"
	"time"
)

// latencies counts durations in buckets that grow with them: 16 to each power of
// two, so that a quantile is right within 6%.
type latencies struct {
	buckets [40 * bucketsPerOctave]uint64 // up to hours
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
		if rank < n {
			return min(bucketTop(i), l.max)
		}
		rank -= n
	}
	return l.max
}

// since is what has been recorded after before was a copy of l. Its max is the
// top of its last bucket.
func (l *latencies) since(before *latencies) *latencies {
	var d latencies
	for i, n := range l.buckets {
		if n -= before.buckets[i]; n > 0 {
			d.buckets[i] = n
			d.n += n
			d.max = min(bucketTop(i), l.max)
		}
	}
	return &d
}

// rough shows a duration to two digits: a quantile is not known better.
func rough(d time.Duration) string {
	unit := time.Duration(1)
	for d/unit >= 100 {
		unit *= 10
	}
	return d.Round(unit).String()
}
