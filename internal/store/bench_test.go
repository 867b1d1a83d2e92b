package store

import (
	"fmt"
	"hash/maphash"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/dgraph-io/ristretto/v2"
)

func benchKeys(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("some-key-%d", i)
	}
	return keys
}

func TestAHitAllocatesNothing(t *testing.T) {
	if raced {
		t.Skip("reads allocate under the race detector")
	}
	s := open(t, Config{OwnedBytes: 1 << 20, ReplicaBytes: 1 << 20})
	tagged := forEver("v")
	tagged.Tags = []string{"a", "b"}
	mustKeep(t, s, "confirmed", forEver("v"))
	mustKeep(t, s, "tagged", tagged)
	replica := forEver("v")
	replica.Replica = true
	mustKeep(t, s, "replica", replica)
	for i := range 6 { // no room is left, so the next waits in the window
		mustKeep(t, s, fmt.Sprint(i), &Value{Cost: 1 << 17, Until: math.MaxInt64})
	}
	mustKeep(t, s, "large", &Value{Cost: 150 << 10, Until: math.MaxInt64})
	mustKeep(t, s, "window", &Value{Cost: 90 << 10, Until: math.MaxInt64})
	settled(t, s)
	for _, key := range []string{"confirmed", "tagged", "replica", "window"} {
		n := testing.AllocsPerRun(1000, func() {
			if key == "tagged" {
				s.epochs.now.Add(1) // so that its tags are looked up again
			}
			if s.Get(key, 1) == nil {
				t.Fatalf("%s is not found", key)
			}
		})
		if n > 0 {
			t.Errorf("%s: %v allocations a hit", key, n)
		}
	}
}

// Run both with -cpu 1,2: the aim is at most 1.1 to 1.25 times Ristretto's time.
func BenchmarkHit(b *testing.B) {
	keys := benchKeys(1024)
	b.Run("Ristretto", func(b *testing.B) {
		c, err := ristretto.NewCache(&ristretto.Config[string, []byte]{NumCounters: 1 << 17, MaxCost: 1 << 24, BufferItems: 64, IgnoreInternalCost: true})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(c.Close)
		for _, k := range keys {
			c.Set(k, []byte("x"), 1)
		}
		c.Wait()
		parallel(b, keys, func(k string) bool { _, ok := c.Get(k); return ok })
	})
	b.Run("Store", func(b *testing.B) {
		s := open(b, Config{OwnedBytes: 1 << 24})
		for _, k := range keys {
			mustKeep(b, s, k, forEver("x"))
		}
		settled(b, s)
		parallel(b, keys, func(k string) bool { return s.Get(k, 1) != nil })
	})
	b.Run("Tagged", func(b *testing.B) {
		s := open(b, Config{OwnedBytes: 1 << 24})
		s.DropTag("x")
		for _, k := range keys {
			v := forEver("x")
			v.Tags = []string{"a", "b"}
			mustKeep(b, s, k, v)
		}
		settled(b, s)
		parallel(b, keys, func(k string) bool { return s.Get(k, 1) != nil })
	})
	b.Run("Window", func(b *testing.B) {
		s := open(b, Config{OwnedBytes: 1 << 24})
		for i := range 1 << 16 {
			mustKeep(b, s, fmt.Sprint(i), forEver("x"))
		}
		settled(b, s)
		for _, k := range keys {
			mustKeep(b, s, k, forEver("x"))
		}
		parallel(b, keys, func(k string) bool { return s.Get(k, 1) != nil })
	})
}

func parallel(b *testing.B, keys []string, get func(string) bool) {
	var missed atomic.Int64
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		i := rand.IntN(len(keys))
		for pb.Next() {
			i++
			if !get(keys[i&(len(keys)-1)]) {
				missed.Add(1)
			}
		}
	})
	if n := missed.Load(); n > 0 {
		b.Errorf("%d of %d gets missed", n, b.N)
	}
}

func BenchmarkMiss(b *testing.B) {
	s := open(b, Config{})
	mustKeep(b, s, "k", forEver("x"))
	keys := benchKeys(1024)
	for i := 0; b.Loop(); i++ {
		s.Get(keys[i&1023], 1)
	}
}

func BenchmarkKeep(b *testing.B) {
	for _, full := range []bool{false, true} {
		b.Run(fmt.Sprintf("full=%v", full), func(b *testing.B) {
			s := open(b, Config{OwnedBytes: map[bool]int64{false: 1 << 28, true: 1 << 24}[full]})
			keys := benchKeys(1 << 17)
			data := make([]byte, 100)
			var n atomic.Int64
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					i := n.Add(1)
					s.Begin(keys[i&(1<<17-1)]).Keep(&Value{Data: data, Until: math.MaxInt64, Began: i}, 1)
				}
			})
		})
	}
}

// BenchmarkZipf prints the share of hits over a Zipf distribution whose keys fit
// to a tenth, for the store and for ristretto alone.
func BenchmarkZipf(b *testing.B) {
	const keys, cost = 100_000, 1 << 10
	draw := func() func() uint64 {
		z := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.01, 1, keys-1)
		return z.Uint64
	}
	names := benchKeys(keys)
	b.Run("Store", func(b *testing.B) {
		s := open(b, Config{OwnedBytes: keys / 10 * cost})
		next, hits := draw(), 0
		for b.Loop() {
			k := names[next()]
			if s.Get(k, 1) != nil {
				hits++
				continue
			}
			s.Begin(k).Keep(&Value{Cost: cost - overhead - int64(len(k)), Until: math.MaxInt64}, 1)
		}
		b.ReportMetric(100*float64(hits)/float64(b.N), "%hits")
	})
	b.Run("Ristretto", func(b *testing.B) {
		seed := maphash.MakeSeed()
		c, err := ristretto.NewCache(&ristretto.Config[uint64, *Value]{NumCounters: keys, MaxCost: keys / 10 * cost, BufferItems: 64, IgnoreInternalCost: true})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(c.Close)
		next, hits := draw(), 0
		for b.Loop() {
			h := maphash.String(seed, names[next()])
			if _, ok := c.Get(h); ok {
				hits++
				continue
			}
			c.Set(h, &Value{}, cost)
		}
		b.ReportMetric(100*float64(hits)/float64(b.N), "%hits")
	})
}
