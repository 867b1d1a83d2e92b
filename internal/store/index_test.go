package store

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
)

// indexed is a value whose id stands for its hash.
func indexed(h uint64) *Value { return &Value{id: h} }

func TestTheIndexFindsTheLatestOfEachHash(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	var x index
	if x.find(7) != nil {
		t.Fatal("an empty index finds something")
	}
	x.remove(7, indexed(7))
	want := map[uint64]*Value{}
	for step := range 20_000 {
		h := rnd.Uint64N(1<<8) << 3 // eight apart, so that probes meet
		if step > 10_000 {
			h = rnd.Uint64N(1 << 3)
		}
		if e := want[h]; e != nil && rnd.IntN(2) == 0 {
			x.remove(e.id, e)
			delete(want, h)
			if x.find(h) != nil {
				t.Fatalf("step %d: %d is found after it has been removed", step, h)
			}
		} else {
			if e != nil {
				x.remove(e.id, e)
			}
			want[h] = indexed(h)
			x.put(h, want[h])
			if e != nil { // again, by who makes room, and of no effect
				x.remove(e.id, e)
			}
		}
		if h := rnd.Uint64N(1 << 11); x.find(h) != want[h] {
			t.Fatalf("step %d: %d: found %p, want %p", step, h, x.find(h), want[h])
		}
	}
	n := 0
	for e := range x.each {
		if n++; want[e.id] != e {
			t.Errorf("%d is shown, and should not be there", e.id)
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

// Who makes room removes without a lock, while others put and so rebuild.
func TestWhatIsRemovedBesideRebuildsIsGoneAndNothingElse(t *testing.T) {
	var x index
	var wg sync.WaitGroup
	const rounds, batch = 100, 500
	for round := range uint64(rounds) {
		lasting := make([]*Value, batch)
		doomed := make([]*Value, batch)
		for i := range lasting {
			lasting[i] = indexed(round<<16 | uint64(2*i))
			doomed[i] = indexed(round<<16 | uint64(2*i+1))
			x.put(lasting[i].id, lasting[i])
			x.put(doomed[i].id, doomed[i])
		}
		var removed atomic.Bool
		wg.Go(func() {
			for _, e := range doomed {
				x.remove(e.id, e)
			}
			removed.Store(true)
		})
		for !removed.Load() {
			x.rebuild()
		}
		wg.Wait()
		for i := range lasting {
			if x.find(lasting[i].id) != lasting[i] {
				t.Fatalf("round %d: an entry is lost", round)
			}
			if e := x.find(doomed[i].id); e != nil {
				t.Fatalf("round %d: a removed entry is found", round)
			}
			x.remove(lasting[i].id, lasting[i])
		}
	}
}

func TestTheIndexHoldsWhatTheQueuesHold(t *testing.T) {
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
						v.Origin = OriginOf("", 0, []string{fmt.Sprint(n)})
					}
					s.Begin(key).Keep(v, 1)
				case n < 85:
					s.Get(key, 1)
				case n < 90:
					if v := s.Get(key, 1); v != nil {
						s.Replace(key, v, &Value{Cost: v.Cost, Until: v.Until, Began: v.Began, Origin: v.Origin, Replica: !v.Replica})
					}
				case n < 98:
					s.Drop(key)
				default:
					s.DropTag(fmt.Sprint(rnd.IntN(60)))
				}
				if i == 2000 && g == 0 {
					s.Clear()
					s.Sweep()
				}
			}
		})
	}
	wg.Wait()
	held := map[*Value]bool{}
	want := [2]Usage{}
	for _, g := range []*segment{&s.owned, &s.replica} {
		for _, q := range []*queue{&g.probation, &g.main} {
			n, bytes := int64(0), int64(0)
			for v := q.newest; v != nil; v = v.next {
				held[v] = true
				n++
				bytes += charge(v.key, v)
				if v.place != q.at || v.next == nil && q.oldest != v || v.is(dead) {
					t.Errorf("%s: in place %d of the queue %d, dead %v", v.key, v.place, q.at, v.is(dead))
				}
				u := &want[class(v.Replica)]
				u.Entries++
				u.Bytes += charge(v.key, v)
			}
			if n == 0 || n != q.entries || bytes != q.bytes {
				t.Errorf("a queue of %d values and %d bytes counts %d and %d", n, bytes, q.entries, q.bytes)
			}
		}
		if g.probation.bytes+g.main.bytes > g.limit {
			t.Errorf("%d bytes are held, of %d", g.probation.bytes+g.main.bytes, g.limit)
		}
	}
	if st := s.Stats(); st.Owned != want[0] || st.Replica != want[1] {
		t.Errorf("counted %+v, %+v; want %+v", st.Owned, st.Replica, want)
	}
	for i := range s.stripes {
		for v := range s.stripes[i].values.each {
			if !held[v] {
				t.Errorf("%s is in the index alone, dead %v", v.key, v.is(dead))
			}
			delete(held, v)
		}
	}
	for v := range held {
		t.Errorf("%s is not in the index, dead %v", v.key, v.is(dead))
	}
}

func TestWhatATagHasDroppedGivesItsMemoryBackWhenItIsFoundOut(t *testing.T) {
	s := open(t, Config{})
	v := forEver("v")
	v.Origin = OriginOf("", 0, []string{"t"})
	mustKeep(t, s, "k", v)
	s.DropTag("t")
	if s.Get("k", 1) != nil {
		t.Fatal("it lives")
	}
	if s.owned.probation.entries != 0 || s.stripe(s.hash("k")).values.find(s.hash("k")) != nil {
		t.Error("it is still held")
	}
}
