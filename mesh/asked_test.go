package mesh

import (
	"math/rand/v2"
	"testing"
)

func TestAskedFindsWhatAMapWould(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 7))
	var a asked
	want := map[uint64]*call{}
	next := uint64(1)
	for step := range 50_000 {
		if grow := step/5000%2 == 0; rnd.IntN(10) < 4 || grow && rnd.IntN(10) < 5 {
			if rnd.IntN(20) == 0 { // numbers of other links lie between
				next += rnd.Uint64N(1000)
			}
			k := &call{number: next}
			next++
			a.put(k)
			want[k.number] = k
		} else {
			for n := range want {
				if !a.remove(n) || a.remove(n) {
					t.Fatalf("step %d: %d is not removed once", step, n)
				}
				delete(want, n)
				break
			}
		}
		if n := rnd.Uint64N(next + 10); a.get(n) != want[n] {
			t.Fatalf("step %d: %d: found %v, want %v", step, n, a.get(n), want[n])
		}
		if a.len() != len(want) {
			t.Fatalf("step %d: %d are counted, want %d", step, a.len(), len(want))
		}
	}
	away := 0
	for i, slot := range a.slots {
		if slot.k != nil && i != a.at(slot.number) {
			away++
		}
	}
	if a.away != away {
		t.Errorf("%d are said not to be where they belong, and %d are", a.away, away)
	}
	for n, k := range want {
		if a.get(n) != k {
			t.Errorf("%d is lost", n)
		}
	}
	shown := 0
	for k := range a.each {
		if shown++; want[k.number] != k {
			t.Errorf("%d is shown and should not be there", k.number)
		}
	}
	if shown != len(want) {
		t.Errorf("%d are shown, want %d", shown, len(want))
	}
	a.put(&call{number: 3})
	k := &call{number: 3}
	if a.put(k); a.get(3) != k {
		t.Error("a call does not take the place of one of its number")
	}
	if a.clear(); a.len() != 0 || a.get(3) != nil || a.remove(3) {
		t.Error("not cleared")
	}
}

func TestAskedIsSmallAgainSomeTimeAfterABurst(t *testing.T) {
	var a asked
	const burst = 10_000
	for n := range uint64(burst) {
		a.put(&call{number: n})
	}
	a.trim()
	for n := range uint64(burst - 100) {
		a.remove(n)
	}
	if a.trim(); len(a.slots) < 2*burst {
		t.Errorf("%d slots as soon as the burst is over: the next may come", len(a.slots))
	}
	if a.trim(); len(a.slots) > 8*100 || a.len() != 100 {
		t.Errorf("%d slots for %d calls", len(a.slots), a.len())
	}
	for n := uint64(burst - 100); n < burst; n++ {
		if k := a.get(n); k == nil || k.number != n {
			t.Fatalf("%d is lost", n)
		}
	}
	for range 2 {
		for n := uint64(burst - 100); n < burst; n++ {
			a.remove(n)
		}
		a.trim()
	}
	if a.trim(); len(a.slots) > leastAsked || a.get(5) != nil {
		t.Errorf("%d slots for nothing", len(a.slots))
	}
}
