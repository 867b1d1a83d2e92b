package main

import (
	"testing"
	"time"
)

func TestQuantilesAreRightWithinSixPercent(t *testing.T) {
	var l latencies
	for i := 1; i <= 100_000; i++ {
		l.record(time.Duration(i) * time.Microsecond)
	}
	for _, q := range []float64{0.01, 0.5, 0.9, 0.99} {
		exact := q * float64(100*time.Millisecond)
		if got := float64(l.quantile(q)); got < 0.99*exact || got > 1.07*exact {
			t.Errorf("quantile %v is %v, want %v", q, time.Duration(got), time.Duration(exact))
		}
	}
	if l.quantile(1) != 100*time.Millisecond || l.max != 100*time.Millisecond {
		t.Errorf("the longest is %v, %v", l.quantile(1), l.max)
	}
	for d := time.Duration(0); d < 1<<20; d++ {
		if b := bucketOf(d); d > bucketTop(b) || b > 0 && d <= bucketTop(b-1) {
			t.Fatalf("%d is in bucket %d, which ends at %d", d, b, bucketTop(b))
		}
	}
	l.record(1 << 62) // far off the scale
}
