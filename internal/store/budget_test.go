package store

import (
	"fmt"
	"math"
	"runtime"
	"testing"
)

// heap returns the bytes that live objects take.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestTheHeapStaysWithinTheBudget(t *testing.T) {
	if raced {
		t.Skip("slow, and the race detector has nothing to find here")
	}
	const budget = 8 << 20
	for _, tt := range []struct {
		size    int
		replica bool
	}{{64, false}, {1 << 10, false}, {1 << 10, true}, {100 << 10, false}} {
		t.Run(fmt.Sprintf("%dBytes/replica=%v", tt.size, tt.replica), func(t *testing.T) {
			before := heap()
			s := open(t, Config{OwnedBytes: budget, ReplicaBytes: budget})
			keep := func(i int) {
				v := &Value{Data: make([]byte, tt.size), Until: math.MaxInt64, Replica: tt.replica, Began: int64(i)}
				mustKeep(t, s, fmt.Sprint("key-", i), v)
			}
			check := func(when string) {
				t.Helper()
				used := float64(heap()-before) / budget
				st := s.Stats()
				t.Logf("%s: heap %.2f of the budget, charged %.2f, %+v", when, used, float64(st.Owned.Bytes+st.Replica.Bytes)/budget, st)
				if used > 1.3 {
					t.Errorf("%s: the heap is %.2f of the budget", when, used)
				}
			}
			n := min(10*budget/(tt.size+overhead), 170_000)
			for i := range n {
				keep(i)
			}
			check("filled to ten times the budget")
			for i := range n {
				key := i * 7 % (n / 5)
				if i%10 == 0 {
					s.Drop(fmt.Sprint("key-", key))
				} else if s.Get(fmt.Sprint("key-", key), 1) == nil {
					keep(key)
				}
			}
			check("after churn")
			if st := s.Stats(); st.Rejected == 0 || st.Evictions == 0 {
				t.Errorf("losses are not counted: %+v", st)
			}
			runtime.KeepAlive(s)
		})
	}
}

func TestAFreshValueSurvivesAWindowOfOthers(t *testing.T) {
	const budget, size = 4 << 20, 1 << 10
	s := open(t, Config{OwnedBytes: budget})
	keep := func(key string) *Value {
		v := &Value{Data: make([]byte, size), Until: math.MaxInt64}
		mustKeep(t, s, key, v)
		return v
	}
	for i := range 2 * budget / size { // full, and all in it asked for often
		key := fmt.Sprint("old", i)
		keep(key)
		for range 3 {
			s.Get(key, 1)
		}
	}
	fresh := keep("fresh")
	for i := range budget / windowShare / (size + overhead + 16) * 9 / 10 {
		keep(fmt.Sprint("new", i))
	}
	if s.Get("fresh", 1) != fresh {
		t.Error("it is gone although less than the window has been kept since")
	}
}

func TestAnIdleStoreTakesLittle(t *testing.T) {
	before, goroutines := heap(), runtime.NumGoroutine()
	s := open(t, Config{OwnedBytes: 1 << 30, ReplicaBytes: 1 << 30})
	s.Get("k", 1)
	s.DropTag("t")
	if n := heap() - before; n > 128<<10 {
		t.Errorf("it takes %d bytes", n)
	}
	if n := runtime.NumGoroutine(); n > goroutines {
		t.Errorf("it runs %d goroutines", n-goroutines)
	}
	runtime.KeepAlive(s)
}

func TestAValueThatIsReadStaysInTheWindow(t *testing.T) {
	const budget, cost = 1 << 20, 1 << 10
	s := open(t, Config{OwnedBytes: budget})
	keep := func(key string) {
		mustKeep(t, s, key, &Value{Cost: cost, Until: math.MaxInt64})
	}
	for i := range budget / cost {
		keep(fmt.Sprint("old", i))
	}
	keep("hot")
	keep("cold")
	for i := range 3 * budget / windowShare / cost {
		keep(fmt.Sprint("new", i))
		s.Get("hot", 1)
	}
	waits := func(key string) bool {
		h := s.hash(key)
		e := s.stripe(h).entries.find(h)
		return e != nil && e.is(inWindow)
	}
	settled(t, s)
	if !waits("hot") || waits("cold") {
		t.Errorf("in the window: hot %v, cold %v", waits("hot"), waits("cold"))
	}
}

func TestRoomThatIsFreedIsUsedAtOnce(t *testing.T) {
	const budget, cost = 1 << 20, 1 << 10
	s := open(t, Config{OwnedBytes: budget})
	for round := range 6 {
		n := budget / cost / 3 // fits without the window
		if round%3 == 2 {
			n *= 6 // does not fit
		}
		for i := range n {
			mustKeep(t, s, fmt.Sprint(i), &Value{Cost: cost, Until: math.MaxInt64})
		}
		settled(t, s)
		g := s.owned.Load()
		if (g.window.newest == nil) != (round%3 != 2) {
			t.Errorf("round %d: the window is used: %v", round, g.window.newest != nil)
		}
		if round%2 == 0 {
			s.Clear()
		} else {
			for i := range n {
				s.Drop(fmt.Sprint(i))
			}
		}
		g.settle()
		if st := s.Stats(); g.held.Load() != 0 || g.waiting != 0 || g.window.bytes != 0 || st.Owned != (Usage{}) {
			t.Fatalf("round %d: emptied, yet %d bytes are held, %d wait, %d are in the window, %+v", round, g.held.Load(), g.waiting, g.window.bytes, st.Owned)
		}
	}
}
