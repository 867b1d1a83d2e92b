package main

import (
	"strings"
	"testing"
	"time"
)

func TestAHistogramHasEveryLatencyInItsStep(t *testing.T) {
	var l latencies
	for _, d := range []time.Duration{300 * time.Nanosecond, 3 * time.Microsecond, 3 * time.Microsecond, 15 * time.Microsecond, 7 * time.Second} {
		l.record(d)
	}
	bars := l.histogram()
	want := map[time.Duration]uint64{500 * time.Nanosecond: 1, 5 * time.Microsecond: 2, 20 * time.Microsecond: 1, 10 * time.Second: 1}
	for i, b := range bars {
		if b.n != want[b.top] {
			t.Errorf("up to %v: %d, want %d", b.top, b.n, want[b.top])
		}
		if i > 0 { // 1-2-5 steps: none is left out
			if ratio := float64(b.top) / float64(bars[i-1].top); ratio < 2 || ratio > 2.5 {
				t.Errorf("%v follows %v", b.top, bars[i-1].top)
			}
		}
	}
	if first, last := bars[0].top, bars[len(bars)-1].top; first != 500*time.Nanosecond || last != 10*time.Second {
		t.Errorf("from %v to %v", first, last)
	}
	if len((&latencies{}).histogram()) != 0 {
		t.Error("nothing recorded, and yet a histogram")
	}
}

func TestEveryBucketIsInAHistogramOnce(t *testing.T) {
	var l latencies
	for i := range l.buckets {
		l.buckets[i] = 1
		l.n++
	}
	sum := uint64(0)
	for _, b := range l.histogram() {
		sum += b.n
	}
	if sum != l.n {
		t.Errorf("%d of %d", sum, l.n)
	}
}

func TestABarIsAsLongAsItsShareAndNeverInvisible(t *testing.T) {
	for _, c := range []struct {
		n, most uint64
		want    string
	}{
		{0, 100, ""}, {0, 0, ""}, {100, 100, strings.Repeat("█", 40)}, {50, 100, strings.Repeat("█", 20)},
		{1, 1 << 60, "▏"}, {1, 80, "▌"}, {7, 320, "▉"},
	} {
		if got := bar(c.n, c.most); got != c.want {
			t.Errorf("%d of %d: %q, want %q", c.n, c.most, got, c.want)
		}
	}
}

func TestARoughDurationHasTwoDigits(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 7: "7ns", 343: "340ns", 655359: "660µs", 1507327: "1.5ms", 99_900_000: "100ms", 13_951_000_000: "14s",
	} {
		if got := rough(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

func TestSinceIsWhatHasBeenRecordedLater(t *testing.T) {
	var l latencies
	l.record(time.Millisecond)
	before := l
	l.record(time.Second)
	l.record(2 * time.Second)
	later := l.since(&before)
	if later.n != 2 || later.quantile(0) < 900*time.Millisecond || later.max != 2*time.Second {
		t.Errorf("%d, from %v to %v", later.n, later.quantile(0), later.max)
	}
}
