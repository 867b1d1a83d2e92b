package main

import (
	"math"
	"testing"
	"time"
)

func TestAMedianIsTheMiddleOrTheMeanOfTheTwoInIt(t *testing.T) {
	for _, c := range []struct {
		in   sample
		want float64
	}{{sample{3}, 3}, {sample{9, 1, 5}, 5}, {sample{4, 1, 3, 2}, 2.5}} {
		before := append(sample(nil), c.in...)
		if got := c.in.median(); got != c.want {
			t.Errorf("median of %v: %v, want %v", c.in, got, c.want)
		}
		for i := range before {
			if c.in[i] != before[i] {
				t.Fatalf("the rounds are out of order: %v", c.in)
			}
		}
	}
	if got := (sample)(nil).median(); !math.IsNaN(got) {
		t.Errorf("median of none: %v", got)
	}
}

func TestRatiosAreTakenRoundByRound(t *testing.T) {
	got := sample{2, 30, 7}.over(sample{1, 10, 0, 5})
	if len(got) != 2 || got[0] != 2 || got[1] != 3 {
		t.Errorf("got %v, want [2 3]: no ratio to 0, nor to a round that is not there", got)
	}
	if c := got.ratio(); c.Text != "2.50 (2.00 to 3.00)" || len(c.Rounds) != 2 {
		t.Errorf("got %+v", c)
	}
}

func TestNothingMeasuredIsADash(t *testing.T) {
	for _, c := range []cell{sample(nil).ratio(), count(math.NaN()), micros(sample(nil).median())} {
		if c.Text != none.Text {
			t.Errorf("got %+v", c)
		}
	}
}

func TestALargeCountIsWrittenInGroups(t *testing.T) {
	for v, want := range map[float64]string{7: "7", 999: "999", 1000: "1,000", 1234567.4: "1,234,567"} {
		if got := count(v).Text; got != want {
			t.Errorf("%v: %q, want %q", v, got, want)
		}
	}
}

func TestQuantilesAreThoseOfTheSortedTimes(t *testing.T) {
	var d []time.Duration
	for i := range 100 {
		d = append(d, time.Duration(99-i))
	}
	if p50, p99 := quantiles(d); p50 != 50 || p99 != 99 {
		t.Errorf("got %d and %d, want 50 and 99", p50, p99)
	}
	if p50, p99 := quantiles(nil); p50 != 0 || p99 != 0 {
		t.Errorf("of none: %d and %d", p50, p99)
	}
}
