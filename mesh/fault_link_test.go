package mesh_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/testenv"
	"github.com/cachemesh/cachemesh/testenv/promise"
)

func TestAPartialErrorListsExactlyTheMemberThatIsOutOfReach(t *testing.T) {
	virtual(t, 4, func(t *testing.T, r *rig) {
		keys, _ := r.keys(100, "")
		r.fill(keys, r.all...)
		away, others := r.all[2], []*rigMember{r.all[0], r.all[1], r.all[3]}
		_, owned := r.keys(100, "m2")
		key := owned[0] // which the member out of reach holds
		before := r.origin.LoadsOf(key)
		away.link.Swallow()
		var partial *mesh.PartialError
		err := r.all[0].cache.Invalidate(r.within(100*time.Millisecond), key)
		if !errors.As(err, &partial) || !slices.Equal(partial.Members, []string{"m2"}) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want a PartialError of m2", err)
		}
		for _, m := range others {
			if _, err := m.cache.Get(r.within(100*time.Millisecond), key, mesh.CachedOnly()); err == nil {
				t.Errorf("%s still has the value", m.ID())
			}
		}
		// The member learns of it behind the caller's back.
		away.link.Heal()
		testenv.Eventually(t, rigLease, "m2 has dropped the value", func() bool {
			_, err := away.cache.Get(r.within(time.Second), key, mesh.CachedOnly())
			return errors.Is(err, mesh.ErrNotCached)
		})
		r.agree(0, r.all...)
		if n := r.origin.LoadsOf(key); n != before {
			t.Error("something has loaded")
		}
		r.checkFresh(keys[:10], r.all...)
	})
}

func TestAQuestionCarriesWhatItsAskerHasInvalidated(t *testing.T) {
	virtual(t, 3, func(t *testing.T, r *rig) {
		_, owned := r.keys(200, "m2")
		r.fill(owned, r.all[2])
		for _, key := range owned[:20] {
			// The owner misses that its value has been invalidated, and is asked before that is repeated.
			r.all[2].link.Drop(1, testenv.ToClient)
			var partial *mesh.PartialError
			if err := r.all[0].cache.Invalidate(r.within(10*time.Millisecond), key); !errors.As(err, &partial) {
				t.Errorf("got %v, want a PartialError", err)
			}
			r.all[2].link.Heal()
			if v, err := r.all[0].cache.Get(r.within(5*time.Second), key); err != nil || string(v) != key+"#2" {
				t.Errorf("%s is %q, %v after its invalidation here", key, v, err)
			}
		}
	})
}

func TestPartsThatMeetCompareBeforeTheyCount(t *testing.T) {
	virtual(t, 2, func(t *testing.T, r *rig) {
		keys, owned := r.keys(100, "m1")
		r.fill(keys, r.all...)
		r.readAll(keys, r.all...)
		r.all[1].link.Drop(1)
		r.agree(2*rigLease, r.all[0])
		r.agree(2*rigLease, r.all[1])
		if err := r.all[0].cache.Invalidate(r.within(time.Second), keys...); err != nil {
			t.Error("alone:", err)
		}
		r.all[1].link.Heal()
		r.all[1].link.Delay(60*time.Millisecond, 0)
		testenv.Eventually(t, 10*time.Second, "m0 counts m1", func() bool { return len(r.all[0].Members()) == 2 })
		for _, key := range owned { // which m1 reads from its memory, at once
			if v, err := r.all[1].cache.Get(r.within(5*time.Second), key, mesh.CachedOnly()); err == nil && string(v) == key+"#1" {
				t.Fatalf("m1, which m0 counts, has %q: m0 had invalidated it", v)
			}
		}
	})
}

func TestAnInvalidationEndsByEvictingWhoStaysOutOfReach(t *testing.T) {
	virtual(t, 3, func(t *testing.T, r *rig) {
		key := "k"
		r.readAll([]string{key}, r.all...)
		r.all[2].link.Swallow()
		began := time.Now()
		if err := r.all[0].cache.Invalidate(r.within(time.Minute), key); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > rigLease+rigBeat {
			t.Errorf("it took %v", took)
		}
		r.agree(rigBeat, r.all[:2]...)
		// The evicted one finds out by itself, and reads nothing stale once it is counted again.
		r.all[2].link.Heal()
		testenv.Eventually(t, 5*time.Second, "m2 is counted again", func() bool { return slices.Contains(names(r.all[0].Mesh), "m2") })
		if v, err := r.all[2].cache.Get(r.within(5*time.Second), key); err != nil || string(v) == "k#1" {
			t.Errorf("%q, %v", v, err)
		}
	})
}

// stormy has readers and invalidators at work on a few keys for so long, and checks what was promised of all that was read.
func stormy(t *testing.T, members int, during func(r *rig)) {
	t.Helper()
	testenv.Bubble(t, func(t *testing.T) {
		r := newRig(t, testenv.InProcess(t))
		rec := promise.NewRecorder(nil)
		rec.SetLoadTime(0, 20*time.Millisecond)
		var caches []*mesh.Cache[[]byte]
		for range members {
			m := r.join(fmt.Sprint("m", len(r.all)))
			c, err := mesh.NewCache(m.Mesh, "p", rec.Loader(m.ID()), mesh.Options{ReplicaTTL: time.Second})
			if err != nil {
				t.Fatal(err)
			}
			caches = append(caches, c)
		}
		r.agree(5*time.Second, r.all...)
		ctx, stop := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		for i, m := range r.all {
			for k := range 8 {
				wg.Go(func() {
					for n := k; ctx.Err() == nil; n++ {
						get, cancel := context.WithTimeout(context.Background(), 5*time.Second)
						key := fmt.Sprint("k", n%24)
						if _, err := rec.Get(get, caches[i], m.Mesh, key); err != nil && !errors.Is(err, context.DeadlineExceeded) {
							t.Errorf("get of %s on %s: %v", key, m.ID(), err)
						}
						cancel()
						time.Sleep(3 * time.Millisecond)
					}
				})
			}
			wg.Go(func() {
				for n := i; ctx.Err() == nil; n++ {
					call, cancel := context.WithTimeout(context.Background(), time.Duration(100+n%3*900)*time.Millisecond)
					var partial *mesh.PartialError
					if err := rec.Invalidate(call, caches[i], m.Mesh, fmt.Sprint("k", n%24)); err != nil && !errors.As(err, &partial) {
						t.Errorf("invalidation on %s: %v", m.ID(), err)
					}
					cancel()
					time.Sleep(37 * time.Millisecond)
				}
			})
		}
		during(r)
		stop()
		wg.Wait()
		h := rec.History()
		failed := 0
		for _, g := range h.Gets {
			if g.Err != nil {
				failed++
			}
		}
		t.Logf("%d gets (%d failed), %d invalidations, %d loads", len(h.Gets), failed, len(h.Invalidations), len(h.Loads))
		if failed > len(h.Gets)/1000 {
			t.Errorf("%d of %d gets failed", failed, len(h.Gets))
		}
		// Not that loads of a key do not overlap on one member: an invalidation that it learns of late parts them.
		rules := []promise.Rule{promise.Genuine, promise.Invalidated, promise.OwnInvalidation,
			promise.BoundedWait(100 * time.Millisecond), promise.BoundedAge(mesh.DefaultTTL)}
		for i, v := range promise.Check(h, rules...) {
			if i < 3 {
				t.Error(v)
			}
		}
		r.agree(10*time.Second, r.all...)
	})
}

func TestASlowLinkBreaksNoPromise(t *testing.T) {
	stormy(t, 3, func(r *rig) {
		r.all[1].link.Delay(200*time.Millisecond, 50*time.Millisecond)
		time.Sleep(8 * time.Second)
	})
}

// Repetitions of questions, which come from two members in turn, are no reason to hold the load back for longer.
func TestAnOwnerFarAwayLoadsWhileItsQuestionsAreRepeated(t *testing.T) {
	const repeatAfter = 250 * time.Millisecond
	virtual(t, 3, func(t *testing.T, r *rig) {
		r.all[1].link.Delay(200*time.Millisecond, 0)
		_, owned := r.keys(200, "m1")
		for _, key := range owned[:12] {
			var wg sync.WaitGroup
			read := func(m *rigMember) {
				began := time.Now()
				if _, err := m.cache.Get(r.within(5*time.Second), key); err != nil {
					t.Errorf("%s on %s: %v", key, m.ID(), err)
				}
				if took := time.Since(began); took > 1500*time.Millisecond {
					t.Errorf("%s on %s took %v", key, m.ID(), took)
				}
			}
			wg.Go(func() { read(r.all[0]) })
			wg.Go(func() {
				time.Sleep(repeatAfter / 2)
				read(r.all[2])
			})
			wg.Wait()
			time.Sleep(200 * time.Millisecond)
		}
	})
}

func TestALinkThatLosesMessagesBreaksNoPromise(t *testing.T) {
	stormy(t, 4, func(r *rig) {
		r.all[1].link.Drop(0.2)
		r.all[2].link.Drop(0.2)
		time.Sleep(10 * time.Second)
		if r.all[1].link.Lost() == 0 {
			r.t.Error("nothing was lost")
		}
		r.all[1].link.Heal()
		r.all[2].link.Heal()
	})
}

// Where messages get lost, a load that others keep ending must not cost a reader a second for each lost answer.
func TestALostAnswerIsMissedSoonOnALinkThatHasLostMessagesBefore(t *testing.T) {
	virtual(t, 2, func(t *testing.T, r *rig) {
		_, owned := r.keys(50, "m1")
		r.origin.SetDelay(60 * time.Millisecond)
		here := r.all[0]
		lossy := func(key string, from, to, least, most time.Duration) {
			r.agree(time.Second, r.all...)
			time.AfterFunc(from, func() { here.link.Drop(1, testenv.ToClient) })
			time.AfterFunc(to, here.link.Heal)
			began := time.Now()
			if _, err := here.cache.Get(r.within(5*time.Second), key); err != nil {
				t.Errorf("%s: %v", key, err)
			}
			if took := time.Since(began); took < least || took > most {
				t.Errorf("%s took %v, and should take %v to %v", key, took, least, most)
			}
			time.Sleep(rigLease) // for heartbeats that were lost too
		}
		const ms = time.Millisecond
		lossy(owned[0], 30*ms, 100*ms, 1000*ms, 1100*ms) // its answer is lost, after its acknowledgement
		lossy(owned[1], 0, 100*ms, 200*ms, 500*ms)       // both are
		for _, key := range owned[2:6] {
			lossy(key, 30*ms, 100*ms, 200*ms, 500*ms)
		}
		time.Sleep(10 * time.Second)
		lossy(owned[6], 30*ms, 100*ms, 1000*ms, 1100*ms)
	})
}

func TestALinkThatSwallowsForAWhileBreaksNoPromise(t *testing.T) {
	stormy(t, 4, func(r *rig) {
		for i, away := range []time.Duration{rigLease / 2, 2 * rigLease, rigLease} {
			time.Sleep(time.Second)
			r.all[i].link.Swallow()
			time.Sleep(away)
			r.all[i].link.Heal()
			time.Sleep(time.Second)
		}
		r.all[3].link.Swallow(testenv.ToClient) // deaf, not dumb
		time.Sleep(2 * rigLease)
		r.all[3].link.Heal()
		time.Sleep(time.Second)
		r.all[2].link.Cut()
		time.Sleep(rigBeat)
		r.all[2].link.Heal()
		time.Sleep(2 * time.Second)
	})
}

func TestASlowConsumerIsRepairedAndReadsNothingStale(t *testing.T) {
	virtual(t, 2, func(t *testing.T, r *rig) {
		slow := r.all[1]
		var keys []string
		// Its subscriptions hold two messages each, and what is meant for it comes in bursts. It may
		// keep up with one of them all the same.
		for burst := 0; slow.Lost() == 0; burst++ {
			if burst == 20 {
				t.Fatal("nothing was lost")
			}
			keys = nil
			for i := range 400 {
				keys = append(keys, fmt.Sprint("key", burst, "-", i))
			}
			r.readAll(keys, r.all...)
			if err := slow.LimitPending(2); err != nil {
				t.Fatal(err)
			}
			slow.link.Swallow(testenv.ToClient)
			var wg sync.WaitGroup
			for i, key := range keys {
				wg.Go(func() {
					time.Sleep(time.Duration(i) * time.Millisecond)
					if err := r.all[0].cache.Invalidate(r.within(20*time.Second), key); err != nil {
						t.Errorf("invalidate %s: %v", key, err)
					}
					if v, err := slow.cache.Get(r.within(20*time.Second), key); err != nil || string(v) == key+"#1" {
						t.Errorf("%s on the slow member: %q, %v", key, v, err)
					}
				})
			}
			time.Sleep(rigBeat)
			slow.link.Heal()
			wg.Wait()
		}
		r.agree(5*time.Second, r.all...)
		r.checkFresh(keys[:10], r.all...)
	})
}
