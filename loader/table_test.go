package loader

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestTheTableFindsWhatAMapWould(t *testing.T) {
	for _, mask := range []uint64{^uint64(0), 3} { // with all the bits of a hash, and where most are alike
		rnd := rand.New(rand.NewPCG(9, mask))
		var tb table[int]
		want := map[string]*Flight[int]{}
		hash := func(key string) uint64 { return uint64(len(key))*7919 + uint64(key[len(key)-1])&mask }
		for step := range 20_000 {
			key := fmt.Sprint(rnd.IntN(500))
			if f := want[key]; f != nil {
				tb.remove(f)
				delete(want, key)
			} else if rnd.IntN(3) > 0 {
				f := &Flight[int]{key: key, hash: hash(key)}
				tb.put(f)
				want[key] = f
			}
			key = fmt.Sprint(rnd.IntN(500))
			if tb.find(hash(key), key) != want[key] || tb.n != len(want) {
				t.Fatalf("step %d: the wrong flight for %s, or %d counted of %d", step, key, tb.n, len(want))
			}
		}
		if tb.n > len(tb.buckets) {
			t.Errorf("%d flights in %d buckets", tb.n, len(tb.buckets))
		}
		n := 0
		tb.clear(func(f *Flight[int]) {
			if n++; want[f.key] != f {
				t.Errorf("%s is cleared and should not be there", f.key)
			}
		})
		if n != len(want) || tb.n != 0 || tb.find(hash("1"), "1") != nil {
			t.Errorf("%d were cleared, want %d", n, len(want))
		}
	}
}
