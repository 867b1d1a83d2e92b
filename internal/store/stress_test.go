package store

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// race runs writers that change an origin and then invalidate beside readers
// that read through the store, and counts the reads that are older than an
// invalidation which had returned before they began. late begins fills after
// their load, as a program would that ignored what is dropped meanwhile.
type race struct {
	bytes      int64
	invalidate func(s *Store, key, tag string)
	pause      time.Duration // after each invalidation
	late       bool
	runs       time.Duration

	reads, hits, stale, drops atomic.Int64
}

func (r *race) run(t *testing.T) {
	const keys = 200
	s := open(t, Config{OwnedBytes: r.bytes, ReplicaBytes: r.bytes})
	var origin, committed [keys]atomic.Uint64
	name := func(i int) (key, tag string) { return fmt.Sprint("k", i), fmt.Sprint("t", i) }
	stop := make(chan struct{})
	time.AfterFunc(r.runs, func() { close(stop) })
	stopped := func() bool {
		select {
		case <-stop:
			return true
		default:
			return false
		}
	}
	read := func(rnd *rand.Rand, i int) uint64 {
		key, tag := name(i)
		if v := s.Get(key, 1); v != nil {
			r.hits.Add(1)
			return binary.LittleEndian.Uint64(v.Data)
		}
		f := s.Begin(key)
		n := origin[i].Load()
		if rnd.IntN(3) == 0 {
			time.Sleep(time.Duration(rnd.IntN(200)) * time.Microsecond)
		}
		if r.late {
			f.End()
			f = s.Begin(key)
		}
		// Began is the same for all loads: whether a value stands is up to the drops alone.
		f.Keep(&Value{
			Data:    binary.LittleEndian.AppendUint64(nil, n),
			Until:   math.MaxInt64,
			Replica: rnd.IntN(4) == 0,
			Origin:  OriginOf("", 0, []string{"all", tag}),
		}, 1)
		return n
	}
	var wg sync.WaitGroup
	for w := range 2 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(1, uint64(w)))
			for !stopped() {
				i := rnd.IntN(keys/2)*2 + w
				n := origin[i].Add(1)
				key, tag := name(i)
				r.invalidate(s, key, tag)
				committed[i].Store(n)
				r.drops.Add(1)
				if r.pause > 0 || rnd.IntN(4) == 0 {
					time.Sleep(max(r.pause, 50*time.Microsecond))
				}
			}
		})
	}
	for g := range 8 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(2, uint64(g)))
			for !stopped() {
				i := rnd.IntN(keys)
				want := committed[i].Load()
				if read(rnd, i) < want {
					r.stale.Add(1)
				}
				if r.reads.Add(1)%8 == 0 {
					runtime.Gosched() // hits alone would starve the writers
				}
			}
		})
	}
	wg.Wait()
	st := s.Stats()
	t.Logf("reads %d, hits %d, stale %d, drops %d, discarded %d, evicted %d, rejected %d",
		r.reads.Load(), r.hits.Load(), r.stale.Load(), r.drops.Load(), st.Discarded, st.Evictions, st.Rejected)
}

func TestNoReadIsOlderThanAFinishedInvalidation(t *testing.T) {
	drop := func(s *Store, key, _ string) { s.Drop(key) }
	tag := func(s *Store, _, tag string) { s.DropTag(tag) }
	tests := []struct {
		name string
		race race
	}{
		{"Drop", race{bytes: 1 << 21, invalidate: drop, runs: 1500 * time.Millisecond}},
		{"DropUnderEviction", race{bytes: 24 << 10, invalidate: drop, runs: 500 * time.Millisecond}},
		{"DropTag", race{bytes: 1 << 21, invalidate: tag, runs: 500 * time.Millisecond}},
		{"Clear", race{bytes: 1 << 21, invalidate: func(s *Store, _, _ string) { s.Clear() }, pause: time.Millisecond, runs: 500 * time.Millisecond}},
		{"Clear and sweep", race{bytes: 1 << 21, invalidate: func(s *Store, _, _ string) { s.Clear(); s.Sweep() }, pause: time.Millisecond, runs: 500 * time.Millisecond}},
	}
	for i := range tests {
		t.Run(tests[i].name, func(t *testing.T) {
			r := &tests[i].race
			r.run(t)
			if n := r.stale.Load(); n > 0 {
				t.Errorf("%d of %d reads were older than an invalidation that had finished", n, r.reads.Load())
			}
			if r.hits.Load() == 0 {
				t.Error("no read was a hit, so nothing has been tested")
			}
		})
	}
	// The test itself: without what a Fill sees, it must find stale reads.
	t.Run("AFillBegunAfterItsLoadIsStale", func(t *testing.T) {
		r := &race{bytes: 1 << 21, invalidate: drop, late: true, runs: 300 * time.Millisecond}
		r.run(t)
		if r.stale.Load() == 0 {
			t.Error("no stale read was found")
		}
	})
}
