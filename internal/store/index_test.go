package store

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
)

func indexed(h uint64) *entry { return &entry{hash: h} }

func TestTheIndexFindsTheLatestOfEachHash(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	var x index
	if x.find(7) != nil {
		t.Fatal("an empty index finds something")
	}
	x.remove(indexed(7))
	want := map[uint64]*entry{}
	for step := range 20_000 {
		h := rnd.Uint64N(1<<8) << 3 // eight apart, so that probes meet
		if step > 10_000 {
			h = rnd.Uint64N(1 << 3)
		}
		if e := want[h]; e != nil && rnd.IntN(2) == 0 {
			x.remove(e)
			delete(want, h)
			if x.find(h) != nil {
				t.Fatalf("step %d: %d is found after it has been removed", step, h)
			}
		} else {
			if e != nil {
				x.remove(e)
			}
			want[h] = indexed(h)
			x.put(want[h])
			if e != nil { // again, by ristretto's callback, and of no effect
				x.remove(e)
			}
		}
		if h := rnd.Uint64N(1 << 11); x.find(h) != want[h] {
			t.Fatalf("step %d: %d: found %p, want %p", step, h, x.find(h), want[h])
		}
	}
	n := 0
	for e := range x.each {
		if n++; want[e.hash] != e {
			t.Errorf("%d is shown, and should not be there", e.hash)
		}
	}
	if n != len(want) {
		t.Errorf("%d shown, want %d", n, len(want))
	}
	for range 4 {
		x.rebuild()
	}
	if size := len(*x.table.Load()); size > 4*(len(want)+1) && size > smallestTable {
		t.Errorf("the table has %d slots for %d entries", size, len(want))
	}
	for h, e := range want {
		if x.find(h) != e {
			t.Errorf("%d is lost by rebuilding", h)
		}
	}
}

// Ristretto's callbacks remove without a lock, while others put and so rebuild.
func TestWhatIsRemovedBesideRebuildsIsGoneAndNothingElse(t *testing.T) {
	var x index
	var wg sync.WaitGroup
	const rounds, batch = 100, 500
	for round := range uint64(rounds) {
		lasting := make([]*entry, batch)
		doomed := make([]*entry, batch)
		for i := range lasting {
			lasting[i] = indexed(round<<16 | uint64(2*i))
			doomed[i] = indexed(round<<16 | uint64(2*i+1))
			x.put(lasting[i])
			x.put(doomed[i])
		}
		var removed atomic.Bool
		wg.Go(func() {
			for _, e := range doomed {
				x.remove(e)
			}
			removed.Store(true)
		})
		for !removed.Load() {
			x.rebuild()
		}
		wg.Wait()
		for i := range lasting {
			if x.find(lasting[i].hash) != lasting[i] {
				t.Fatalf("round %d: an entry is lost", round)
			}
			if e := x.find(doomed[i].hash); e != nil {
				t.Fatalf("round %d: a removed entry is found", round)
			}
			x.remove(lasting[i])
		}
	}
}

func TestTheIndexHoldsWhatWindowAndRistrettoHold(t *testing.T) {
	s := open(t, Config{OwnedBytes: 256 << 10, ReplicaBytes: 64 << 10})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(3, uint64(g)))
			for i := range 4000 {
				key := fmt.Sprint(rnd.IntN(3000))
				switch n := rnd.IntN(100); {
				case n < 60:
					v := &Value{Cost: int64(rnd.IntN(600)), Until: math.MaxInt64, Began: int64(i), Replica: n < 20}
					if n%2 == 0 {
						v.Tags = []string{fmt.Sprint(n)}
					}
					s.Begin(key).Keep(v, 1)
				case n < 90:
					s.Get(key, 1)
				case n < 98:
					s.Drop(key)
				default:
					s.DropTag(fmt.Sprint(rnd.IntN(60)))
				}
				if i == 2000 && g == 0 {
					s.Clear()
				}
			}
		})
	}
	wg.Wait()
	settled(t, s)
	held := map[*entry]bool{}
	for _, g := range s.segments() {
		for e := g.window.newest; e != nil; e = e.next {
			held[e] = true
		}
		inWindow := len(held)
		g.cache.IterValues(func(e *entry) bool { held[e] = true; return false })
		if inWindow == len(held) {
			t.Error("ristretto holds nothing, so nothing has been tested")
		}
	}
	for i := range s.stripes {
		for e := range s.stripes[i].entries.each {
			if !held[e] {
				t.Errorf("%s is in the index alone, live %v", e.key, e.value.Load() != nil)
			}
			delete(held, e)
		}
	}
	for e := range held {
		t.Errorf("%s is not in the index, live %v", e.key, e.value.Load() != nil)
	}
}

func TestWhatDiesInTheWindowLeavesTheIndexWithIt(t *testing.T) {
	const budget, cost = 1 << 20, 1 << 10
	s := open(t, Config{OwnedBytes: budget})
	fill := func(name string) {
		for i := range 2 * budget / cost {
			mustKeep(t, s, fmt.Sprint(name, i), &Value{Cost: cost, Until: math.MaxInt64})
		}
	}
	fill("before")
	v := forEver("v")
	v.Tags, v.Cost = []string{"t"}, 2*cost // more than the others leave
	settled(t, s)
	mustKeep(t, s, "k", v)
	s.DropTag("t")
	h := s.hash("k")
	e := s.stripe(h).entries.find(h)
	if e == nil || !e.is(inWindow) || s.Get("k", 1) != nil {
		t.Fatal("it is not in the window, or lives")
	}
	fill("after")
	if s.stripe(h).entries.find(h) != nil {
		t.Error("it is still in the index")
	}
}

func TestRistrettoHearsOfAValueUntilItHasCountedEnough(t *testing.T) {
	s := open(t, Config{OwnedBytes: 1 << 20})
	mustKeep(t, s, "k", forEver("v"))
	g := s.owned.Load()
	read := func(want uint64, when string) {
		t.Helper()
		before := g.notes.Load()
		for range 3 * enough {
			s.Get("k", 1)
			s.Get("absent", 1)
		}
		if n := g.notes.Load() - before; n != want {
			t.Errorf("%s it hears of %d uses, want %d", when, n, want)
		}
	}
	read(enough-1, "after being kept")
	read(0, "then")
	halve := func() { g.full.Add(1 << noteBits) }
	halve()
	read(enough/2, "when counts have been halved")
	halve()
	halve()
	read(enough*3/4, "when they have been halved twice")
	for range noteBits + 40 {
		halve()
	}
	read(enough, "when they have been halved often")
	v := forEver("w")
	v.Began = 1
	mustKeep(t, s, "k", v)
	read(0, "after being renewed")
	full := g.full.Load()
	for i := 0; g.full.Load() == full; i++ {
		if i > int(g.period) {
			t.Fatal("that counts are halved is never noticed")
		}
		mustKeep(t, s, fmt.Sprint(i), forEver("v"))
	}
}
