package mesh_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
)

var errDisk = errors.New("disk on fire")

func TestPastItsTTLAValueIsAnsweredAtOnceAndRenewedByOneLoad(t *testing.T) {
	fromBoth(t, mesh.Options{TTL: 10 * time.Second, StaleWhileRevalidate: 20 * time.Second}, func(t *testing.T, l *lab) {
		l.look(0)
		l.origin.slow(200 * time.Millisecond)
		time.Sleep(12 * time.Second)
		for range 10 { // all while one load goes on
			e, took := l.read()
			is(t, e, l.nth(1), l.memory(), true)
			atOnce(t, took)
			if e.TTL > -1900*time.Millisecond || e.TTL < -2200*time.Millisecond || e.Age < 12*time.Second || e.Age > 12200*time.Millisecond {
				t.Errorf("the TTL is %v, the age %v", e.TTL, e.Age)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if n := l.origin.loadsOf(l.key); n != 2 {
			t.Errorf("%d loads", n)
		}
		time.Sleep(200 * time.Millisecond)
		is(t, l.look(0), l.nth(2), mesh.Local, false)
		is(t, l.look(1), l.nth(2), mesh.Owner, false)
		if s := l.caches[0].Stats(); s.Refreshes != 1 || s.Loads != 2 {
			t.Errorf("the owner counts %d refreshes, %d loads", s.Refreshes, s.Loads)
		}
		if s := l.here().Stats(); s.StaleAnswers != 10 {
			t.Errorf("%d stale answers counted", s.StaleAnswers)
		}
		if l.caller == 0 && l.here().Stats().Hits != 1 {
			t.Errorf("stale answers are among the %d hits", l.here().Stats().Hits)
		}
	})
}

func TestBeyondTheStaleWindowAReadWaits(t *testing.T) {
	fromBoth(t, mesh.Options{TTL: 10 * time.Second, StaleWhileRevalidate: 5 * time.Second}, func(t *testing.T, l *lab) {
		l.look(0)
		l.origin.slow(200 * time.Millisecond)
		time.Sleep(15*time.Second + time.Millisecond)
		e, took := l.read()
		is(t, e, l.nth(2), mesh.Loaded, false)
		between(t, took, 200*time.Millisecond, 210*time.Millisecond)
	})
}

func TestBeyondTheStaleWindowAReadWaitsForTheLoadThatIsUnderWay(t *testing.T) {
	opts := mesh.Options{TTL: 10 * time.Second, StaleWhileRevalidate: 5 * time.Second, StaleIfError: time.Minute}
	fromBoth(t, opts, func(t *testing.T, l *lab) {
		l.look(0)
		l.origin.hold()
		time.Sleep(12 * time.Second)
		e, _ := l.read()
		is(t, e, l.nth(1), l.memory(), true)
		time.Sleep(4 * time.Second) // the load has not failed: there is no error to answer with the old value for
		waits := get(l.ctx, l.here(), l.key)
		select {
		case got := <-waits:
			t.Fatalf("answered %q, %v, while the load is under way", got.value, got.err)
		case <-time.After(time.Second):
		}
		l.origin.release()
		got := <-waits
		want(t, got.value, got.err, l.nth(2))
	})
}

func TestAnInvalidationDetachesABackgroundLoad(t *testing.T) {
	drops := map[string]func(l *lab) error{
		"Invalidate":     func(l *lab) error { return l.caches[1].Invalidate(l.ctx, l.key) },
		"InvalidateTags": func(l *lab) error { return l.caches[1].InvalidateTags(l.ctx, "t") },
		"Clear":          func(l *lab) error { return l.caches[1].Clear(l.ctx) },
	}
	for name, opts := range map[string]mesh.Options{
		"stale":         {TTL: 10 * time.Second, StaleWhileRevalidate: 20 * time.Second, StaleIfError: 20 * time.Second},
		"refresh ahead": {TTL: 30 * time.Second, RefreshAhead: 0.3},
	} {
		for by, drop := range drops {
			t.Run(name+"/"+by, func(t *testing.T) {
				fromBoth(t, opts, func(t *testing.T, l *lab) {
					l.origin.items(func(_ loader.Request[string], _ int, item *loader.Item[string]) { item.Tags = []string{"t"} })
					l.look(0)
					time.Sleep(12 * time.Second)
					l.origin.hold()
					if e, took := l.read(); e.Value != l.nth(1) || took > time.Millisecond {
						t.Fatalf("got %q after %v", e.Value, took)
					}
					l.soon("the load behind it has begun", func() bool { return l.origin.loadsOf(l.key) == 2 })
					if err := drop(l); err != nil {
						t.Fatal(err)
					}
					waits := get(l.ctx, l.here(), l.key) // a load of its own
					l.soon("the read loads again", func() bool { return l.origin.loadsOf(l.key) == 3 })
					l.origin.release()
					got := <-waits
					want(t, got.value, got.err, l.nth(3))
					time.Sleep(time.Second)
					for i := range l.caches {
						if e := l.look(i); e.Value != l.nth(3) || e.Stale {
							t.Errorf("m%d answers %q, stale %v", i, e.Value, e.Stale)
						}
					}
					if n := l.caches[0].Stats().Discarded; n == 0 {
						t.Error("the fill that was overtaken is not counted as discarded")
					}
				})
			})
		}
	}
}

func TestWhileLoadsFailTheLastValueIsAnswered(t *testing.T) {
	fromBoth(t, mesh.Options{TTL: 10 * time.Second, StaleIfError: 60 * time.Second}, func(t *testing.T, l *lab) {
		l.look(0)
		l.origin.fail(errDisk)
		time.Sleep(12 * time.Second)
		e, _ := l.read() // this one tries
		is(t, e, l.nth(1), l.memory(), true)
		e, took := l.read() // this one is within the back-off
		is(t, e, l.nth(1), l.memory(), true)
		atOnce(t, took)
		if n := l.origin.loadsOf(l.key); n != 2 {
			t.Errorf("%d loads", n)
		}
		if n := l.here().Stats().StaleAnswers; n != 2 {
			t.Errorf("%d stale answers counted", n)
		}
		time.Sleep(5*time.Second + time.Millisecond)
		l.origin.fail(nil)
		e, _ = l.read()
		is(t, e, l.nth(3), mesh.Loaded, false)
		if s := l.caches[0].Stats(); s.LoadErrors != 1 {
			t.Errorf("%d load errors counted", s.LoadErrors)
		}
	})
}

func TestAnOriginThatFailsIsTriedOncePerBackoffByTheWholeMesh(t *testing.T) {
	for name, opts := range map[string]mesh.Options{
		"stale if error":   {TTL: time.Second, StaleIfError: 10 * time.Minute},
		"while revalidate": {TTL: time.Second, StaleWhileRevalidate: 10 * time.Minute},
		"both":             {TTL: time.Second, StaleWhileRevalidate: 20 * time.Second, StaleIfError: 10 * time.Minute, SoftTimeout: 20 * time.Millisecond},
		"refresh ahead":    {TTL: time.Second, RefreshAhead: 0.5, StaleIfError: 10 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, 3, opts, func(t *testing.T, l *lab) {
				l.look(0)
				l.origin.slow(10 * time.Millisecond)
				l.origin.fail(errDisk)
				before := l.origin.loadsOf(l.key)
				var readers sync.WaitGroup
				for i := range l.caches {
					readers.Go(func() {
						for range 600 {
							time.Sleep(100 * time.Millisecond)
							if e := l.look(i); e.Value != l.nth(1) {
								t.Errorf("got %q", e.Value)
							}
						}
					})
				}
				readers.Wait()
				if n := l.origin.loadsOf(l.key) - before; n < 11 || n > 13 {
					t.Errorf("%d loads in 60 s, with a back-off of 5 s", n)
				}
			})
		})
	}
}

func TestWhatEndsStaleIfError(t *testing.T) {
	opts := mesh.Options{TTL: 10 * time.Second, StaleIfError: 20 * time.Second, LoadTimeout: time.Second}
	stale := func(t *testing.T, l *lab) { // the value is old, and loads fail
		l.look(0)
		l.origin.fail(errDisk)
		time.Sleep(12 * time.Second)
		e, _ := l.read()
		is(t, e, l.nth(1), l.memory(), true)
	}
	fails := func(t *testing.T, l *lab, opts ...mesh.ReadOption) {
		t.Helper()
		var le *mesh.LoadError
		if v, err := l.here().Get(l.ctx, l.key, opts...); !errors.As(err, &le) || le.Member != "m0" || le.Err.Error() != errDisk.Error() {
			t.Errorf("got %q, %v", v, err)
		}
	}
	for name, f := range map[string]func(t *testing.T, l *lab){
		"Fresh gets the error":  func(t *testing.T, l *lab) { fails(t, l, mesh.Fresh()) },
		"MaxAge gets the error": func(t *testing.T, l *lab) { fails(t, l, mesh.MaxAge(11*time.Second)) },
		"a MaxAge that allows it gets it": func(t *testing.T, l *lab) {
			e, _ := l.read(mesh.MaxAge(time.Minute))
			is(t, e, l.nth(1), l.memory(), true)
		},
		"the window ends":           func(t *testing.T, l *lab) { time.Sleep(18 * time.Second); fails(t, l) },
		"Invalidate while it fails": func(t *testing.T, l *lab) { wantErr(t, l.caches[1].Invalidate(l.ctx, l.key), nil); fails(t, l) },
		"Clear while it fails":      func(t *testing.T, l *lab) { wantErr(t, l.caches[1].Clear(l.ctx), nil); fails(t, l) },
		"not found is no failure": func(t *testing.T, l *lab) {
			l.origin.fail(mesh.ErrNotFound)
			time.Sleep(5001 * time.Millisecond)
			_, err := l.here().Get(l.ctx, l.key)
			wantErr(t, err, mesh.ErrNotFound)
			l.origin.fail(errDisk) // and what was held is gone
			fails(t, l)
		},
		"Invalidate while the failing load goes on": func(t *testing.T, l *lab) {
			time.Sleep(5001 * time.Millisecond)
			l.origin.slow(100 * time.Millisecond)
			before := get(l.ctx, l.here(), l.key)
			time.Sleep(50 * time.Millisecond)
			wantErr(t, l.caches[1].Invalidate(l.ctx, l.key), nil)
			fails(t, l)
			if got := <-before; got.err == nil {
				t.Errorf("who waited got %q", got.value)
			}
			fails(t, l)
		},
	} {
		t.Run(name, func(t *testing.T) {
			fromBoth(t, opts, func(t *testing.T, l *lab) {
				stale(t, l)
				f(t, l)
			})
		})
	}
}

func TestARememberedAbsenceEndsStaleAnswers(t *testing.T) {
	opts := mesh.Options{TTL: 10 * time.Second, StaleIfError: time.Minute, StaleWhileRevalidate: time.Second, NegativeTTL: 5 * time.Second}
	fromBoth(t, opts, func(t *testing.T, l *lab) {
		l.look(0)
		time.Sleep(12 * time.Second)
		l.origin.fail(mesh.ErrNotFound)
		for range 2 {
			_, err := l.here().Get(l.ctx, l.key)
			wantErr(t, err, mesh.ErrNotFound)
		}
		time.Sleep(6 * time.Second)
		l.origin.fail(errDisk)
		if v, err := l.here().Get(l.ctx, l.key); err == nil || errors.Is(err, mesh.ErrNotFound) {
			t.Errorf("got %q, %v", v, err)
		}
	})
}

func TestLoadTimeoutAndOverloadAreFailures(t *testing.T) {
	opts := mesh.Options{TTL: 10 * time.Second, StaleIfError: time.Minute, LoadTimeout: time.Second, MaxLoads: 1}
	fromBoth(t, opts, func(t *testing.T, l *lab) {
		l.look(0)
		time.Sleep(12 * time.Second)
		l.origin.hold()
		e, took := l.read()
		is(t, e, l.nth(1), l.memory(), true)
		between(t, took, time.Second, 1100*time.Millisecond)
		time.Sleep(time.Millisecond) // the load's time is up at this very instant: it is to have noticed
		l.origin.release()

		time.Sleep(6 * time.Second)
		l.origin.hold() // another key takes the only place
		other := l.keysOf("c", "m0", 2)[1]
		long, cancel := context.WithTimeout(l.ctx, 30*time.Second)
		defer cancel()
		busy := get(long, l.caches[0], other)
		time.Sleep(10 * time.Millisecond)
		e, took = l.read()
		is(t, e, l.nth(1), l.memory(), true)
		between(t, took, 500*time.Millisecond, 1100*time.Millisecond)
		l.origin.release()
		if got := <-busy; got.err == nil {
			t.Logf("the other key: %q", got.value)
		}
	})
}

func TestSoftTimeoutAnswersStaleAndKeepsTheLoad(t *testing.T) {
	opts := mesh.Options{TTL: 10 * time.Second, StaleIfError: time.Minute, SoftTimeout: 100 * time.Millisecond}
	fromBoth(t, opts, func(t *testing.T, l *lab) {
		l.look(0)
		time.Sleep(12 * time.Second)
		l.origin.slow(50 * time.Millisecond) // in time
		e, took := l.read()
		is(t, e, l.nth(2), mesh.Loaded, false)
		between(t, took, 50*time.Millisecond, 55*time.Millisecond)

		time.Sleep(12 * time.Second)
		l.origin.slow(900 * time.Millisecond)
		e, took = l.read()
		is(t, e, l.nth(2), l.memory(), true)
		between(t, took, 100*time.Millisecond, 105*time.Millisecond)
		if n := l.here().Stats().StaleAnswers; n != 1 {
			t.Errorf("%d stale answers counted", n)
		}
		time.Sleep(time.Second) // nobody waits, and the load goes on
		for i, from := range []mesh.Source{mesh.Local, mesh.Owner} {
			is(t, l.look(i), l.nth(3), from, false)
		}
		if n := l.origin.loadsOf(l.key); n != 3 {
			t.Errorf("%d loads", n)
		}
	})
}

func TestSoftTimeoutWithNothingToFallBackOnWaits(t *testing.T) {
	opts := mesh.Options{TTL: 10 * time.Second, StaleIfError: 20 * time.Second, SoftTimeout: 100 * time.Millisecond}
	fromBoth(t, opts, func(t *testing.T, l *lab) {
		l.origin.slow(900 * time.Millisecond)
		for n, pause := range []time.Duration{0, 31 * time.Second} { // never loaded; past the window
			time.Sleep(pause)
			e, took := l.read()
			is(t, e, l.nth(n+1), mesh.Loaded, false)
			between(t, took, 900*time.Millisecond, 910*time.Millisecond)
		}
		time.Sleep(12 * time.Second)
		e, took := l.read(mesh.Fresh())
		is(t, e, l.nth(3), mesh.Loaded, false)
		between(t, took, 900*time.Millisecond, 910*time.Millisecond)
		time.Sleep(12 * time.Second)
		e, took = l.read(mesh.MaxAge(2 * time.Second))
		is(t, e, l.nth(4), mesh.Loaded, false)
		between(t, took, 900*time.Millisecond, 910*time.Millisecond)
	})
}

func TestWhatIsInvalidatedDuringASoftTimeoutIsNotAnswered(t *testing.T) {
	opts := mesh.Options{TTL: 10 * time.Second, StaleIfError: time.Minute, SoftTimeout: 100 * time.Millisecond}
	fromBoth(t, opts, func(t *testing.T, l *lab) {
		l.look(0)
		time.Sleep(12 * time.Second)
		l.origin.slow(900 * time.Millisecond)
		waits := get(l.ctx, l.here(), l.key)
		time.Sleep(50 * time.Millisecond)
		wantErr(t, l.caches[1-l.caller].Invalidate(l.ctx, l.key), nil)
		if got := <-waits; got.err != nil || got.value == l.nth(1) {
			t.Errorf("got %q, %v", got.value, got.err)
		}
	})
}

func TestACallerThatLeavesBeforeTheSoftTimeoutGetsItsOwnError(t *testing.T) {
	opts := mesh.Options{TTL: 10 * time.Second, StaleIfError: time.Minute, SoftTimeout: 100 * time.Millisecond}
	fromBoth(t, opts, func(t *testing.T, l *lab) {
		l.look(0)
		time.Sleep(12 * time.Second)
		l.origin.slow(900 * time.Millisecond)
		ctx, cancel := context.WithTimeout(l.ctx, 40*time.Millisecond)
		defer cancel()
		_, err := l.here().Get(ctx, l.key)
		wantErr(t, err, context.DeadlineExceeded)
		time.Sleep(time.Second)
	})
}

func TestGetManyAnswersStaleToo(t *testing.T) {
	for name, opts := range map[string]mesh.Options{
		"while revalidate": {TTL: 10 * time.Second, StaleWhileRevalidate: time.Minute},
		"if error":         {TTL: 10 * time.Second, StaleIfError: time.Minute},
		"soft timeout":     {TTL: 10 * time.Second, StaleIfError: time.Minute, SoftTimeout: 100 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			fromBoth(t, opts, func(t *testing.T, l *lab) {
				keys := append(l.keysOf("c", "m0", 20), l.keysOf("c", "m1", 20)...)
				first, err := l.here().GetMany(l.ctx, keys)
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(12 * time.Second)
				switch name {
				case "soft timeout":
					l.origin.slow(900 * time.Millisecond)
				default:
					l.origin.fail(errDisk)
				}
				began := time.Now()
				got, err := l.here().GetMany(l.ctx, keys)
				if err != nil || len(got) != 40 {
					t.Fatalf("%d values, %v", len(got), err)
				}
				if took := time.Since(began); took > 110*time.Millisecond {
					t.Errorf("it took %v", took)
				}
				for _, key := range keys {
					want(t, got[key], nil, first[key])
				}
				if n := l.here().Stats().StaleAnswers; n != 40 {
					t.Errorf("%d stale answers counted", n)
				}
			})
		})
	}
}

func TestAnAnswerAfterSoftTimeoutLeavesNothingBehindForTheNextFlight(t *testing.T) {
	opts := mesh.Options{TTL: 10 * time.Second, StaleIfError: time.Minute, SoftTimeout: 100 * time.Millisecond, Jitter: -1}
	inLab(t, 1, opts, func(t *testing.T, l *lab) {
		ctx := t.Context()
		c := l.caches[0]
		for i := range 100 {
			if _, err := c.Get(ctx, fmt.Sprint("key", i)); err != nil {
				t.Fatal(err)
			}
		}
		m := l.join(mesh.Config{})
		openOn(l.town, m, "c", loader.Loader[string](l.origin), opts)
		l.settled("c", 2)
		time.Sleep(11 * time.Second)
		l.origin.slow(300 * time.Millisecond)
		c.Restamped()
		keys := l.keysOf("c", "m1", 40)
		e, err := c.Lookup(ctx, keys[0])
		if err != nil || !e.Stale {
			t.Fatalf("%q from %v, %v: this shows nothing", e.Value, e.Source, err)
		}
		time.Sleep(time.Second)
		l.origin.slow(200 * time.Millisecond)
		for i := range 50 {
			k := fmt.Sprint("new", i)
			if m.Owner("c", k) != "m1" {
				continue
			}
			if v, err := c.Get(ctx, k); err != nil || v == "" {
				t.Errorf("get %s: %q, %v", k, v, err)
			}
		}
	})
}

func TestALoadThatIsGivenUpIsNoFailureOfTheOrigin(t *testing.T) {
	opts := mesh.Options{TTL: 10 * time.Second, StaleIfError: time.Hour, ErrorBackoff: time.Minute, Jitter: -1}
	inLab(t, 1, opts, func(t *testing.T, l *lab) {
		c := l.caches[0]
		if _, err := c.Get(t.Context(), l.key); err != nil {
			t.Fatal(err)
		}
		time.Sleep(11 * time.Second)
		l.origin.slow(50 * time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		if _, err := c.Get(ctx, l.key); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("%v: this shows nothing", err)
		}
		cancel()
		time.Sleep(time.Second)
		e, err := c.Lookup(t.Context(), l.key)
		if err != nil || e.Stale || c.Stats().LoadErrors > 0 {
			t.Errorf("stale: %v, %v, %d errors of loads", e.Stale, err, c.Stats().LoadErrors)
		}
	})
}

func TestALoadThatIsGivenUpBeforeItsTurnIsNoFailureOfTheOrigin(t *testing.T) {
	opts := mesh.Options{TTL: 10 * time.Second, StaleIfError: time.Hour, ErrorBackoff: time.Minute, Jitter: -1, MaxLoads: 1}
	inLab(t, 1, opts, func(t *testing.T, l *lab) {
		c := l.caches[0]
		if _, err := c.Get(t.Context(), l.key); err != nil {
			t.Fatal(err)
		}
		time.Sleep(11 * time.Second)
		l.origin.slow(500 * time.Millisecond)
		other := get(t.Context(), c, "other")
		time.Sleep(10 * time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		if _, err := c.Get(ctx, l.key); !errors.Is(err, mesh.ErrOverloaded) {
			t.Fatalf("%v: this shows nothing", err)
		}
		cancel()
		<-other
		e, err := c.Lookup(t.Context(), l.key)
		if err != nil || e.Stale {
			t.Errorf("stale: %v, %v", e.Stale, err)
		}
	})
}
