package store

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"testing"
)

func benchKeys(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("some-key-%d", i)
	}
	return keys
}

func TestAHitAllocatesNothing(t *testing.T) {
	s := open(t, Config{OwnedBytes: 1 << 20, ReplicaBytes: 1 << 20})
	tagged := forEver("v")
	tagged.Origin = OriginOf("", 0, []string{"a", "b"})
	mustKeep(t, s, "plain", forEver("v"))
	mustKeep(t, s, "tagged", tagged)
	replica := forEver("v")
	replica.Replica = true
	mustKeep(t, s, "replica", replica)
	for _, key := range []string{"plain", "tagged", "replica"} {
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

// Run it with -cpu 1,2, and see mesh for the whole Get beside another cache's.
func BenchmarkHit(b *testing.B) {
	keys := benchKeys(1024)
	b.Run("Store", func(b *testing.B) {
		s := open(b, Config{OwnedBytes: 1 << 24})
		for _, k := range keys {
			mustKeep(b, s, k, forEver("x"))
		}
		parallel(b, keys, func(k string) bool { return s.Get(k, 1) != nil })
	})
	b.Run("Tagged", func(b *testing.B) {
		s := open(b, Config{OwnedBytes: 1 << 24})
		s.DropTag("x")
		for _, k := range keys {
			v := forEver("x")
			v.Origin = OriginOf("", 0, []string{"a", "b"})
			mustKeep(b, s, k, v)
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

// BenchmarkClear is the part of clearing 250,000 values that others wait for.
func BenchmarkClear(b *testing.B) {
	s, err := New(Config{OwnedBytes: 1 << 30})
	if err != nil {
		b.Fatal(err)
	}
	for _, k := range benchKeys(250_000) {
		mustKeep(b, s, k, forEver("v"))
	}
	for b.Loop() {
		s.Clear()
	}
}
