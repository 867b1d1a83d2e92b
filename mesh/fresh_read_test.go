package mesh_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
)

func TestAnItemsTTLIsItsOwn(t *testing.T) {
	for name, tt := range map[string]struct {
		ttl, lives, gone time.Duration // gone: 0 for never
	}{
		"longer":  {time.Minute, 59 * time.Second, 61 * time.Second},
		"shorter": {time.Second, 900 * time.Millisecond, 1100 * time.Millisecond},
		"none":    {0, 9 * time.Second, 11 * time.Second},
		"forever": {mesh.NoExpiry, 100 * time.Second, 0},
	} {
		t.Run(name, func(t *testing.T) {
			fromBoth(t, mesh.Options{TTL: 10 * time.Second}, func(t *testing.T, l *lab) {
				l.origin.items(func(_ loader.Request[string], _ int, item *loader.Item[string]) { item.TTL = tt.ttl })
				e := l.look(l.caller)
				if name == "forever" && e.TTL != mesh.NoExpiry {
					t.Errorf("the TTL is %v", e.TTL)
				}
				time.Sleep(tt.lives)
				e = l.look(l.caller)
				is(t, e, l.nth(1), l.memory(), false)
				if e.Age < tt.lives || e.Age > tt.lives+50*time.Millisecond {
					t.Errorf("the age is %v", e.Age)
				}
				if tt.gone > 0 {
					time.Sleep(tt.gone - tt.lives)
					is(t, l.look(l.caller), l.nth(2), mesh.Loaded, false)
				}
			})
		})
	}
}

func TestANegativeTTLIsExpiredAtOnceAndServesAsPrev(t *testing.T) {
	fromBoth(t, mesh.Options{TTL: 10 * time.Second, StaleWhileRevalidate: time.Minute, StaleIfError: time.Minute}, func(t *testing.T, l *lab) {
		l.origin.items(func(_ loader.Request[string], _ int, item *loader.Item[string]) { item.TTL = -1 })
		l.origin.slow(10 * time.Millisecond)
		for n := range 3 { // never stale: a load has just answered
			is(t, l.look(l.caller), l.nth(n+1), mesh.Loaded, false)
		}
		if p := l.origin.lastPrev(); p == nil || p.Value != l.nth(2) {
			t.Errorf("Prev is %+v", p)
		}
		l.origin.fail(errDisk)
		if v, err := l.here().Get(l.ctx, l.key); err == nil {
			t.Errorf("got %q", v)
		}
		if n := l.here().Stats().StaleAnswers; n != 0 {
			t.Errorf("%d stale answers counted", n)
		}
	})
}

func TestALoadThatTakesLongerThanTheTTLIsNoStaleAnswer(t *testing.T) {
	fromBoth(t, mesh.Options{TTL: 100 * time.Millisecond}, func(t *testing.T, l *lab) {
		l.origin.slow(250 * time.Millisecond)
		e, _ := l.read()
		is(t, e, l.nth(1), mesh.Loaded, false)
		if e.TTL > 0 || e.Age < 250*time.Millisecond {
			t.Errorf("the TTL is %v, the age %v", e.TTL, e.Age)
		}
		if n := l.here().Stats().StaleAnswers; n != 0 {
			t.Errorf("%d stale answers counted", n)
		}
	})
}

func TestNoStoreAnswersAndKeepsNothing(t *testing.T) {
	fromBoth(t, mesh.Options{TTL: 10 * time.Second, StaleIfError: time.Minute}, func(t *testing.T, l *lab) {
		l.look(l.caller)
		time.Sleep(11 * time.Second)
		l.origin.items(func(_ loader.Request[string], _ int, item *loader.Item[string]) { item.NoStore = true })
		for n := 2; n < 5; n++ {
			e := l.look(l.caller)
			is(t, e, l.nth(n), mesh.Bypass, false)
			if e.TTL > 0 {
				t.Errorf("it may be kept for %v", e.TTL)
			}
		}
		if p := l.origin.lastPrev(); p != nil {
			t.Errorf("the value before is held still: %+v", p)
		}
		for i, c := range l.caches {
			if s := c.Stats(); s.Entries+s.ReplicaEntries != 0 {
				t.Errorf("m%d holds %d values", i, s.Entries+s.ReplicaEntries)
			}
		}
		l.origin.fail(errDisk)
		if v, err := l.here().Get(l.ctx, l.key); err == nil {
			t.Errorf("got %q", v)
		}
		wantErr(t, l.here().Set(l.ctx, l.key, loader.Item[string]{Value: "s", NoStore: true}), nil)
		if v, err := l.here().Get(l.ctx, l.key, mesh.CachedOnly()); !errors.Is(err, mesh.ErrNotCached) {
			t.Errorf("got %q, %v", v, err)
		}
	})
}

func TestConcurrentFreshCallsShareALoadThatHasNotBegun(t *testing.T) {
	fromBoth(t, mesh.Options{MaxLoads: 1}, func(t *testing.T, l *lab) {
		l.look(l.caller)
		l.origin.slow(100 * time.Millisecond)
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 100 * time.Microsecond) // all while the first load runs
				began := time.Now()
				e := l.look(i%2, mesh.Fresh())
				if e.Age > time.Since(began)+time.Millisecond { // a remote age rounds up
					t.Errorf("the load began %v ago, the call %v", e.Age, time.Since(began))
				}
			})
		}
		wg.Wait()
		if n := l.origin.loadsOf(l.key); n > 4 {
			t.Errorf("%d loads", n)
		}
	})
}

func TestCachedOnlyAsksTheOwnerAndLoadsNothing(t *testing.T) {
	inLab(t, 3, mesh.Options{TTL: 10 * time.Second, StaleWhileRevalidate: 10 * time.Second, StaleIfError: time.Minute}, func(t *testing.T, l *lab) {
		for i, c := range l.caches {
			v, err := c.Get(l.ctx, l.key, mesh.CachedOnly())
			if !errors.Is(err, mesh.ErrNotCached) {
				t.Errorf("m%d: got %q, %v", i, v, err)
			}
			_, err = c.Get(l.ctx, l.key, mesh.CachedOnly(), mesh.Fresh())
			wantErr(t, err, mesh.ErrNotCached)
		}
		l.look(1)
		is(t, l.look(0, mesh.CachedOnly()), l.nth(1), mesh.Local, false)
		is(t, l.look(1, mesh.CachedOnly()), l.nth(1), mesh.Owner, false)
		for range 20 {
			l.look(2)
		}
		is(t, l.look(2, mesh.CachedOnly()), l.nth(1), mesh.Replica, false)
		time.Sleep(time.Millisecond)
		if _, err := l.caches[1].Get(l.ctx, l.key, mesh.CachedOnly(), mesh.MaxAge(time.Nanosecond)); !errors.Is(err, mesh.ErrNotCached) {
			t.Errorf("too old: %v", err)
		}
		time.Sleep(12 * time.Second)
		is(t, l.look(0, mesh.CachedOnly()), l.nth(1), mesh.Local, true)
		is(t, l.look(1, mesh.CachedOnly()), l.nth(1), mesh.Owner, true)
		if n := l.sum(func(s mesh.CacheStats) uint64 { return s.StaleAnswers }); n != 2 {
			t.Errorf("%d stale answers counted", n)
		}
		time.Sleep(10 * time.Second) // only a failing load would bring it back
		for _, c := range l.caches {
			_, err := c.Get(l.ctx, l.key, mesh.CachedOnly())
			wantErr(t, err, mesh.ErrNotCached)
		}
		if n := l.origin.all(); n != 1 {
			t.Errorf("%d loads", n)
		}
	})
}

func TestMaxAgeOfAReadBoundsTheAgeOfItsValue(t *testing.T) {
	fromBoth(t, mesh.Options{TTL: time.Minute, RefreshAhead: 0.9}, func(t *testing.T, l *lab) {
		l.look(l.caller)
		time.Sleep(10 * time.Second)
		is(t, l.look(l.caller, mesh.MaxAge(11*time.Second)), l.nth(1), l.memory(), false)
		is(t, l.look(l.caller, mesh.MaxAge(9*time.Second)), l.nth(2), mesh.Loaded, false)
		is(t, l.look(l.caller), l.nth(2), l.memory(), false)
		is(t, l.look(l.caller, mesh.MaxAge(0)), l.nth(3), mesh.Loaded, false)
		is(t, l.look(l.caller, mesh.MaxAge(-1)), l.nth(4), mesh.Loaded, false)
		time.Sleep(10 * time.Second)
		is(t, l.look(l.caller, mesh.MaxAge(time.Minute), mesh.MaxAge(time.Second)), l.nth(5), mesh.Loaded, false)
	})
}

func TestReadersOfATooOldValueShareItsLoad(t *testing.T) {
	for name, load := range map[string]time.Duration{"quick": time.Millisecond, "slower than the age": 300 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			fromBoth(t, mesh.Options{TTL: time.Minute}, func(t *testing.T, l *lab) {
				l.look(l.caller)
				time.Sleep(10 * time.Second)
				l.origin.slow(load)
				before := l.origin.loadsOf(l.key)
				var wg sync.WaitGroup
				for i := range 100 {
					wg.Go(func() {
						time.Sleep(time.Duration(i) * time.Millisecond)
						called := time.Now()
						e := l.look(i%2, mesh.MaxAge(50*time.Millisecond))
						if e.Age > 51*time.Millisecond+time.Since(called) {
							t.Errorf("its load began %v before the call", e.Age-time.Since(called))
						}
					})
				}
				wg.Wait()
				if n := l.origin.loadsOf(l.key) - before; n > 6 {
					t.Errorf("%d loads", n)
				}
			})
			fromBoth(t, mesh.Options{TTL: time.Minute}, func(t *testing.T, l *lab) { // the same by GetMany
				keys := append(l.keysOf("c", "m0", 20), l.keysOf("c", "m1", 20)...)
				_, err := l.here().GetMany(l.ctx, keys)
				wantErr(t, err, nil)
				time.Sleep(10 * time.Second)
				l.origin.slow(load)
				began := time.Now()
				got, err := l.here().GetMany(l.ctx, keys, mesh.MaxAge(50*time.Millisecond))
				if err != nil || len(got) != 40 || got[l.key] != l.nth(2) || time.Since(began) > 3*load {
					t.Errorf("%d values, %q, %v after %v", len(got), got[l.key], err, time.Since(began))
				}
			})
		})
	}
}

func TestAnEntrySaysWhereItsValueComesFromAndHowOldItIs(t *testing.T) {
	inLab(t, 3, mesh.Options{TTL: 10 * time.Second, ReplicaTTL: 4 * time.Second}, func(t *testing.T, l *lab) {
		l.origin.slow(500 * time.Millisecond)
		check := func(member int, from mesh.Source, age time.Duration) {
			t.Helper()
			e := l.look(member)
			is(t, e, l.nth(1), from, false)
			if e.Key != l.key || e.Owner != "m0" {
				t.Errorf("the key is %q, the owner %q", e.Key, e.Owner)
			}
			between(t, e.Age, age, age+20*time.Millisecond) // an age from elsewhere is never too low
			between(t, e.TTL, 10*time.Second-age-20*time.Millisecond, 10*time.Second-age)
		}
		check(1, mesh.Loaded, 500*time.Millisecond)
		check(0, mesh.Local, 500*time.Millisecond)
		check(1, mesh.Owner, 500*time.Millisecond)
		time.Sleep(time.Second)
		for range 20 {
			l.look(2)
		}
		check(2, mesh.Replica, 1500*time.Millisecond)
		time.Sleep(3 * time.Second)
		check(2, mesh.Replica, 4500*time.Millisecond)
		check(1, mesh.Owner, 4500*time.Millisecond)
		time.Sleep(1500 * time.Millisecond) // a replica's life ends before the value's
		check(2, mesh.Owner, 6*time.Second)
		time.Sleep(4 * time.Second)
		if e := l.look(2); e.Value != l.nth(2) || e.Source != mesh.Loaded {
			t.Errorf("past its TTL it is %q from %v", e.Value, e.Source)
		}
	})
}
