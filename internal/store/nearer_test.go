package store

import (
	"strconv"
	"testing"
)

// What Near is for does not show in a test: see BenchmarkManyHits.
func TestWhatIsBroughtNearIsLeftAsItWas(t *testing.T) {
	s := open(t, Config{OwnedBytes: 1 << 20})
	other := open(t, Config{OwnedBytes: 1 << 20})
	s.hashMask = 7 << 61 // keys collide
	keys := benchKeys(200)
	for i, key := range keys[:150] {
		v := forEver("v")
		v.Data = make([]byte, i*i)
		if s.Begin(key).Keep(v, 1) && i%3 == 0 {
			s.Drop(key)
		}
	}
	closed := open(t, Config{OwnedBytes: 1 << 20})
	mustKeep(t, closed, keys[0], forEver("v"))
	closed.Close()
	type state struct {
		uses, state uint32
	}
	look := func() map[string]state {
		out := map[string]state{}
		for key, v := range s.Range {
			out[key] = state{v.uses.Load(), v.state.Load()}
		}
		return out
	}
	before := look()
	if len(before) == 0 {
		t.Fatal("nothing is kept")
	}
	var near Near
	taken := 0
	for _, key := range keys {
		for _, s := range []*Store{s, other, closed} {
			taken++
			if !near.Add(s, key) {
				if taken != nearKeys {
					t.Fatalf("no more room after %d keys, want %d", taken, nearKeys)
				}
				near.Bring()
				taken = 0
			}
		}
	}
	near.Bring()
	near.Bring() // of nothing
	after := look()
	if len(after) != len(before) {
		t.Fatalf("%d values, %d before", len(after), len(before))
	}
	for key, was := range before {
		if after[key] != was {
			t.Errorf("%s: %+v, was %+v", key, after[key], was)
		}
	}
}

// A hit for each of many keys, in a store that is larger than the processor's caches, by
// which the data is read too.
func BenchmarkManyHits(b *testing.B) {
	const n = 200_000
	s := open(b, Config{OwnedBytes: 1 << 30})
	keys := make([]string, n)
	for i := range keys {
		keys[i] = strconv.Itoa(i)
		v := forEver("")
		v.Data = make([]byte, 1024)
		mustKeep(b, s, keys[i], v)
	}
	sum := 0
	get := func(key string) {
		for _, x := range s.Get(key, 1).Data {
			sum += int(x)
		}
	}
	next := func(i *int) string {
		*i = (*i + 7919) % n
		return keys[*i]
	}
	b.Run("One by one", func(b *testing.B) {
		at := 0
		for b.Loop() {
			for range nearKeys {
				get(next(&at))
			}
		}
	})
	b.Run("Brought near", func(b *testing.B) {
		at := 0
		for b.Loop() {
			var near Near
			from := at
			for near.Add(s, next(&at)) {
			}
			near.Bring()
			for range nearKeys {
				get(next(&from))
			}
		}
	})
	_ = sum
}
