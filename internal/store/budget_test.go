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
					if i%3 == 0 { // who is read displaces others for good
						s.Get(fmt.Sprint("key-", key), 1)
					}
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
