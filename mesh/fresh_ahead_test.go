package mesh_test

import (
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
)

func TestAKeyThatIsReadSteadilyIsNeverWaitedFor(t *testing.T) {
	opts := mesh.Options{TTL: 5 * time.Second, Jitter: 0.1, RefreshAhead: 0.7}
	for name, readers := range map[string][]int{"by its owner": {0}, "by another": {1}, "by all": {0, 1, 2}} {
		t.Run(name, func(t *testing.T) {
			inLab(t, 3, opts, func(t *testing.T, l *lab) {
				l.look(readers[0])
				l.origin.slow(200 * time.Millisecond)
				for range 600 { // 12 lives
					time.Sleep(100 * time.Millisecond)
					for _, i := range readers {
						began := time.Now()
						e := l.look(i)
						atOnce(t, time.Since(began))
						if e.Stale || e.TTL < 0 || e.Age > 5*time.Second {
							t.Errorf("m%d got a value %v old, TTL %v", i, e.Age, e.TTL)
						}
					}
				}
				time.Sleep(300 * time.Millisecond)                  // the last load ends
				if n := l.origin.loadsOf(l.key); n < 14 || n > 21 { // a load every 3.15 to 3.8 s
					t.Errorf("%d loads in a minute", n)
				}
				owner := l.caches[0].Stats()
				if owner.Refreshes != owner.Loads-1 {
					t.Errorf("%d of %d loads are counted as refreshes", owner.Refreshes, owner.Loads)
				}
				if name == "by another" {
					s := l.caches[1].Stats()
					if s.ReplicaHits < 200 || owner.Grants == 0 || s.Loads != 0 {
						t.Errorf("%d of %d reads were answered by replicas, %d grants, %d loads", s.ReplicaHits, s.Gets, owner.Grants, s.Loads)
					}
				}
			})
		})
	}
}

func TestAValueThatWasSetIsRefreshedAheadToo(t *testing.T) {
	opts := mesh.Options{TTL: 5 * time.Second, RefreshAhead: 0.5}
	fromBoth(t, opts, func(t *testing.T, l *lab) {
		if err := l.here().Set(l.ctx, l.key, loader.Item[string]{Value: "set"}); err != nil {
			t.Fatal(err)
		}
		l.origin.slow(200 * time.Millisecond)
		for range 100 {
			time.Sleep(100 * time.Millisecond)
			e, took := l.read()
			atOnce(t, took)
			if e.Stale {
				t.Errorf("stale after %v", e.Age)
			}
		}
		if n := l.origin.loadsOf(l.key); n < 3 || n > 4 {
			t.Errorf("%d loads in ten seconds", n)
		}
	})
}

func TestWhatIsNotReadIsNotRefreshed(t *testing.T) {
	fromBoth(t, mesh.Options{TTL: 10 * time.Second, RefreshAhead: 0.5}, func(t *testing.T, l *lab) {
		l.look(l.caller)
		time.Sleep(4900 * time.Millisecond)
		l.look(l.caller) // before its time
		time.Sleep(time.Minute)
		if n := l.origin.loadsOf(l.key); n != 1 {
			t.Errorf("%d loads", n)
		}
		if e := l.look(l.caller, mesh.Fresh()); e.Value != l.nth(2) {
			t.Errorf("got %q", e.Value)
		}
		time.Sleep(6 * time.Second)
		if e, err := l.here().Lookup(l.ctx, l.key, mesh.CachedOnly()); err != nil || e.Value != l.nth(2) {
			t.Errorf("got %q, %v", e.Value, err)
		}
		time.Sleep(time.Second)
		if n := l.origin.loadsOf(l.key); n != 2 {
			t.Errorf("CachedOnly has had it loaded: %d loads", n)
		}
	})
}

func TestALifeIsRefreshedOnce(t *testing.T) {
	fromBoth(t, mesh.Options{TTL: 10 * time.Second, RefreshAhead: 0.5}, func(t *testing.T, l *lab) {
		l.look(l.caller)
		l.origin.slow(2 * time.Second)
		time.Sleep(6 * time.Second)
		for range 100 {
			e, took := l.read()
			is(t, e, l.nth(1), l.memory(), false)
			atOnce(t, took)
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(2 * time.Second)
		if e, _ := l.read(); e.Value != l.nth(2) || l.origin.loadsOf(l.key) != 2 {
			t.Errorf("got %q, %d loads", e.Value, l.origin.loadsOf(l.key))
		}
	})
}

func TestARefreshThatFailsBacksOffAndTheValueLivesToItsTTL(t *testing.T) {
	opts := mesh.Options{TTL: 20 * time.Second, RefreshAhead: 0.5, ErrorBackoff: 3 * time.Second}
	fromBoth(t, opts, func(t *testing.T, l *lab) {
		l.look(l.caller)
		l.origin.fail(errDisk)
		for range 98 {
			time.Sleep(200 * time.Millisecond)
			e, took := l.read()
			atOnce(t, took)
			if e.Value != l.nth(1) || e.Stale {
				t.Errorf("got %q, stale %v", e.Value, e.Stale)
			}
		}
		if n := l.origin.loadsOf(l.key); n < 4 || n > 5 { // at 10, 13, 16, 19 s
			t.Errorf("%d loads", n)
		}
		time.Sleep(time.Second)
		if _, err := l.here().Get(l.ctx, l.key); err == nil || err.Error() == "" {
			t.Error("past its TTL the error is not told")
		}
	})
}

func TestARefreshThatFindsNothingEndsTheValue(t *testing.T) {
	for name, negative := range map[string]time.Duration{"not remembered": 0, "remembered": 3 * time.Second} {
		t.Run(name, func(t *testing.T) {
			fromBoth(t, mesh.Options{TTL: 20 * time.Second, RefreshAhead: 0.5, NegativeTTL: negative}, func(t *testing.T, l *lab) {
				l.look(l.caller)
				l.origin.fail(mesh.ErrNotFound)
				time.Sleep(11 * time.Second)
				e, _ := l.read()
				is(t, e, l.nth(1), l.memory(), false)
				time.Sleep(time.Millisecond)
				for range 5 {
					_, err := l.here().Get(l.ctx, l.key)
					wantErr(t, err, mesh.ErrNotFound)
				}
				if n := l.origin.loadsOf(l.key); negative == 0 && n != 7 || negative > 0 && n != 2 {
					t.Errorf("%d loads", n)
				}
			})
		})
	}
}
