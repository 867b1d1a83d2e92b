package store

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"
)

func TestCloseEndsAllAndMayComeAtAnyTime(t *testing.T) {
	before := runtime.NumGoroutine()
	for round := range 12 {
		s, err := New(Config{OwnedBytes: 64 << 10, ReplicaBytes: 64 << 10})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		started := make(chan struct{}, 8)
		for g := range 8 {
			wg.Go(func() {
				for i := range 1500 {
					if i == 200 {
						started <- struct{}{}
					}
					key := fmt.Sprint(g%2, i%300)
					f := s.Begin(key)
					s.Get(key, 1)
					v := forEver(key)
					v.Replica, v.Origin = g%2 == 0, OriginOf("", 0, []string{"t"})
					f.Keep(v, 1)
					switch i % 97 {
					case 0:
						s.Drop(key)
					case 1:
						s.DropTag("t")
					case 2:
						s.Clear()
						s.Sweep()
					case 3:
						s.Range(func(string, *Value) bool { return true })
					case 4:
						s.Replace(key, v, forEver(key))
					}
				}
			})
		}
		for range round % 9 {
			<-started
		}
		for range 2 {
			wg.Go(s.Close)
		}
		wg.Wait()
		if st := s.Stats(); st.Owned != (Usage{}) || st.Replica != (Usage{}) {
			t.Fatalf("a closed store holds %+v", st)
		}
		if s.Begin("k").Keep(forEver("v"), 1) || s.Get("k", 1) != nil || s.Peek("k") != nil {
			t.Fatal("a closed store keeps")
		}
	}
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}
