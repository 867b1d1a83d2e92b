package mesh_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/testenv"
)

func TestAnErrorOfTheOriginReachesEveryCallerAfterOneLoad(t *testing.T) {
	for _, words := range []string{"disk on fire", "not UTF-8: \xff\xfe", strings.Repeat("ä", 4000), ""} {
		t.Run(fmt.Sprintf("%.20q", words), func(t *testing.T) {
			bubble(t, 3, func(t *testing.T, w *town) {
				o := testenv.NewOrigin()
				caches := open[[]byte](w, "c", o, mesh.Options{})
				o.Fail(errors.New(words))
				key := w.keyOf("c", "m1")
				for i, c := range caches {
					began := time.Now()
					_, err := c.Get(w.ctx, key)
					var le *mesh.LoadError
					if !errors.As(err, &le) {
						t.Fatalf("on m%d the error is %v", i, err)
					}
					if le.Key != key || le.Member != "m1" || !strings.HasPrefix(words, le.Err.Error()) || len(le.Err.Error()) < min(len(words), 1000) {
						t.Errorf("on m%d: key %s, member %s, %d bytes of error", i, le.Key, le.Member, len(le.Err.Error()))
					}
					if errors.Is(err, mesh.ErrNotFound) || errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("on m%d it is taken for another error: %v", i, err)
					}
					if n := o.LoadsOf(key); n != i+1 {
						t.Errorf("%d loads for %d gets", n, i+1)
					}
					if d := time.Since(began); d > time.Second {
						t.Errorf("on m%d it took %v", i, d)
					}
				}
				o.Fail(nil)
				got, err := caches[0].Get(w.ctx, key)
				want(t, got, err, key+"#4")
			})
		})
	}
}

func TestNotFoundIsNotFoundOnEveryMember(t *testing.T) {
	for name, c := range map[string]struct {
		err error
		ttl time.Duration
	}{
		"forgotten":      {mesh.ErrNotFound, 0},
		"remembered":     {mesh.ErrNotFound, 10 * time.Second},
		"in other words": {fmt.Errorf("no row: %w", mesh.ErrNotFound), 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 3, func(t *testing.T, w *town) {
				var n atomic.Int64
				var there atomic.Bool
				caches := open(w, "c", loader.Of(func(context.Context, string) (string, error) {
					n.Add(1)
					if there.Load() {
						return "born", nil
					}
					return "", c.err
				}), mesh.Options{NegativeTTL: c.ttl, Jitter: -1})
				key := w.keyOf("c", "m1")
				for range 2 {
					for i, cache := range caches {
						_, err := cache.Get(w.ctx, key)
						var le *mesh.LoadError
						if !errors.Is(err, mesh.ErrNotFound) || !errors.As(err, &le) || le.Key != key || le.Member != "m1" {
							t.Errorf("on m%d: %#v", i, err)
						} else if c.ttl == 0 && le.Err.Error() != c.err.Error() {
							t.Errorf("on m%d: %v", i, err)
						}
						if values, err := cache.GetMany(w.ctx, []string{key}); err != nil || len(values) != 0 {
							t.Errorf("on m%d GetMany gives %v, %v", i, values, err)
						}
					}
				}
				wantLoads := int64(12)
				if c.ttl > 0 {
					wantLoads = 1
				}
				if n.Load() != wantLoads {
					t.Errorf("%d loads", n.Load())
				}
				there.Store(true)
				if c.ttl > 0 {
					_, err := caches[0].Get(w.ctx, key)
					wantErr(t, err, mesh.ErrNotFound)
					_, err = caches[0].Get(w.ctx, key, mesh.CachedOnly())
					wantErr(t, err, mesh.ErrNotFound)
					time.Sleep(c.ttl + time.Millisecond)
				}
				for _, cache := range caches {
					got, err := cache.Get(w.ctx, key)
					want(t, got, err, "born")
				}
			})
		})
	}
}

func TestARememberedAbsenceIsInvalidated(t *testing.T) {
	bubble(t, 3, func(t *testing.T, w *town) {
		o := testenv.NewOrigin()
		caches := open[[]byte](w, "c", o, mesh.Options{NegativeTTL: time.Minute})
		key := w.keyOf("c", "m1")
		o.Remove(key)
		for _, c := range caches {
			_, err := c.Get(w.ctx, key)
			wantErr(t, err, mesh.ErrNotFound)
		}
		o.Set(key, []byte("born"))
		if err := caches[2].Invalidate(w.ctx, key); err != nil {
			t.Fatal(err)
		}
		for _, c := range caches {
			got, err := c.Get(w.ctx, key)
			want(t, got, err, "born")
		}
	})
}

func TestALoaderThatPanicsOrExitsFailsItsWaitersAlone(t *testing.T) {
	for name, do := range map[string]func(){
		"panic":           func() { panic("lost a wheel") },
		"panic not found": func() { panic(mesh.ErrNotFound) },
		"Goexit":          runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 2, func(t *testing.T, w *town) {
				var bad atomic.Bool
				bad.Store(true)
				caches := open(w, "c", loader.Of(func(context.Context, string) (string, error) {
					if bad.Load() {
						time.Sleep(time.Second)
						do()
					}
					return "fine", nil
				}), mesh.Options{MaxLoads: 1})
				key := w.keyOf("c", "m1")
				var wg sync.WaitGroup
				for i := range 10 {
					wg.Go(func() {
						_, err := caches[i%2].Get(w.ctx, key)
						var le *mesh.LoadError
						if !errors.As(err, &le) || errors.Is(err, mesh.ErrNotFound) {
							t.Errorf("the error is %v", err)
						}
					})
				}
				wg.Wait()
				if n := loads(caches); n != 1 {
					t.Errorf("%d loads", n)
				}
				if name == "panic" && (!strings.Contains(w.log.String(), "lost a wheel") || !strings.Contains(w.log.String(), "loaderror_test.go")) {
					t.Errorf("the log has no stack: %s", w.log)
				}
				bad.Store(false)
				for _, c := range caches {
					got, err := c.Get(w.ctx, key)
					want(t, got, err, "fine")
				}
			})
		})
	}
}

func TestALoadThatHangsEndsAtLoadTimeoutForAll(t *testing.T) {
	bubble(t, 3, func(t *testing.T, w *town) {
		free := make(chan struct{})
		t.Cleanup(func() { close(free) })
		var n atomic.Int64
		caches := open(w, "c", loader.Of(func(context.Context, string) (string, error) { // deaf to its context
			n.Add(1)
			<-free
			return "late", nil
		}), mesh.Options{LoadTimeout: 2 * time.Second})
		key := w.keyOf("c", "m1")
		began := time.Now()
		var wg sync.WaitGroup
		for i := range 9 {
			wg.Go(func() {
				_, err := caches[i%3].Get(w.ctx, key)
				var le *mesh.LoadError
				if !errors.As(err, &le) || le.Member != "m1" || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("on m%d: %v", i%3, err)
				}
			})
		}
		wg.Wait()
		if d := time.Since(began); d < 2*time.Second || d > 2200*time.Millisecond {
			t.Errorf("it took %v", d)
		}
		if n.Load() != 1 {
			t.Errorf("%d loads", n.Load())
		}
	})
}

func TestACallerLeavesAtItsDeadlineAndOthersStay(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		o := testenv.NewOrigin()
		caches := open[[]byte](w, "c", o, mesh.Options{})
		for _, owner := range []string{"m0", "m1"} {
			key := w.keyOf("c", owner)
			o.Hold()
			starter, cancel := context.WithCancelCause(w.ctx)
			first := get(starter, caches[0], key)
			w.soon("the load has begun", func() bool { return o.Waiting() == 1 })
			second := get(w.ctx, caches[0], key)
			third := get(w.ctx, caches[1], key)
			time.Sleep(100 * time.Millisecond)
			short, done := context.WithTimeout(w.ctx, 50*time.Millisecond)
			began := time.Now()
			_, err := caches[0].Get(short, key)
			done()
			wantErr(t, err, context.DeadlineExceeded)
			if d := time.Since(began); d > 60*time.Millisecond {
				t.Errorf("a caller with 50ms stayed for %v", d)
			}
			why := errors.New("bored")
			cancel(why)
			wantErr(t, (<-first).err, why)
			time.Sleep(100 * time.Millisecond)
			o.Release()
			for _, ch := range []<-chan answer[[]byte]{second, third} {
				a := <-ch
				want(t, a.value, a.err, key+"#1")
			}
			if n := o.LoadsOf(key); n != 1 {
				t.Errorf("%d loads", n)
			}
		}
	})
}

func TestALoadIsCancelledWhenTheLastWaiterHasLeft(t *testing.T) {
	bubble(t, 3, func(t *testing.T, w *town) {
		o := testenv.NewOrigin()
		caches := open[[]byte](w, "c", o, mesh.Options{})
		key := w.keyOf("c", "m1")
		time.Sleep(time.Minute) // in a mesh that has just begun, much passes for recent
		o.Hold()
		var cancels []context.CancelFunc
		var answers []<-chan answer[[]byte]
		for _, c := range caches { // the owner, and two others that ask it
			ctx, cancel := context.WithCancel(w.ctx)
			cancels = append(cancels, cancel)
			answers = append(answers, get(ctx, c, key))
		}
		w.soon("the load has begun", func() bool { return o.Waiting() == 1 })
		time.Sleep(time.Second)
		for i, order := range []int{1, 0, 2} {
			cancels[order]()
			wantErr(t, (<-answers[order]).err, context.Canceled)
			time.Sleep(100 * time.Millisecond)
			if waits := o.Waiting() == 1; waits != (i < 2) {
				t.Errorf("after %d of 3 had left the load was under way: %v", i+1, waits)
			}
		}
		o.Release()
		got, err := caches[0].Get(w.ctx, key)
		want(t, got, err, key+"#2")
	})
}

func TestLoadsBeyondMaxLoadsWaitForTheirTurn(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		o := testenv.NewOrigin()
		caches := open[[]byte](w, "c", o, mesh.Options{MaxLoads: 2})
		keys := w.keysOf("c", "m1", 6)
		o.Hold()
		var answers []<-chan answer[[]byte]
		for i, key := range keys {
			answers = append(answers, get(w.ctx, caches[i%2], key))
		}
		time.Sleep(5 * time.Second)
		if n := o.Waiting(); n != 2 {
			t.Errorf("%d loads at once", n)
		}
		if st := caches[1].Stats(); st.LoadsUnderWay != 2 || st.LoadsQueued != 4 {
			t.Errorf("the stats are %+v", st)
		}
		o.Release()
		for i, ch := range answers {
			a := <-ch
			want(t, a.value, a.err, keys[i]+"#1")
		}
	})
}

func TestALoadThatHasNoTurnByTheDeadlineIsOverload(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		o := testenv.NewOrigin()
		caches := open[[]byte](w, "c", o, mesh.Options{MaxLoads: 1, LoadTimeout: 20 * time.Second})
		keys := w.keysOf("c", "m1", 4)
		o.Hold()
		holder := get(w.ctx, caches[1], keys[0])
		w.soon("the one place is taken", func() bool { return o.Waiting() == 1 })
		for i, c := range caches { // at the caller's deadline
			ctx, cancel := context.WithTimeout(w.ctx, 2*time.Second)
			_, err := c.Get(ctx, keys[1])
			cancel()
			if !errors.Is(err, mesh.ErrOverloaded) {
				t.Errorf("on m%d: %v", i, err)
			}
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("on m%d the caller's own deadline is not told: %v", i, err)
			}
			var le *mesh.LoadError
			if errors.As(err, &le) {
				t.Errorf("on m%d it is taken for the origin's error: %v", i, err)
			}
		}
		ctx, cancel := context.WithTimeout(w.ctx, 2*time.Second)
		_, err := caches[0].GetMany(ctx, keys[1:3])
		cancel()
		wantErr(t, err, mesh.ErrOverloaded)

		// Who waits while the load runs has waited for the origin.
		ctx, cancel = context.WithTimeout(w.ctx, 2*time.Second)
		_, err = caches[0].Get(ctx, keys[0])
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, mesh.ErrOverloaded) {
			t.Errorf("a load that runs: %v", err)
		}
		// One that got its turn meanwhile as well.
		ctx, cancel = context.WithTimeout(w.ctx, 4*time.Second)
		turn := get(ctx, caches[0], keys[3])
		time.Sleep(time.Second)
		o.Release()
		o.Hold()
		a := <-holder
		want(t, a.value, a.err, keys[0]+"#1")
		w.soon("the next has the place", func() bool { return o.LoadsOf(keys[3]) == 1 })
		if err := (<-turn).err; !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, mesh.ErrOverloaded) {
			t.Errorf("a load that got its turn: %v", err)
		}
		cancel()
		o.Release()
		got, err := caches[0].Get(w.ctx, keys[1])
		want(t, got, err, keys[1]+"#1")
	})
}

func TestANewOwnersQueueIsToldTo(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		o := testenv.NewOrigin()
		first := openOn[[]byte](w, w.meshes[0], "c", o, mesh.Options{MaxLoads: 1})
		w.settled("c", 1)
		time.Sleep(time.Minute) // so m1 asks m0 before it loads, and queues only then
		second := openOn[[]byte](w, w.meshes[1], "c", o, mesh.Options{MaxLoads: 1})
		w.settled("c", 2)
		keys := w.keysOf("c", "m1", 2)
		o.Hold()
		holder := get(w.ctx, second, keys[0])
		w.soon("the one place is taken", func() bool { return o.Waiting() == 1 })
		ctx, cancel := context.WithTimeout(w.ctx, 2*time.Second)
		defer cancel()
		_, err := first.Get(ctx, keys[1])
		wantErr(t, err, mesh.ErrOverloaded)
		o.Release()
		a := <-holder
		want(t, a.value, a.err, keys[0]+"#1")
	})
}

func TestALoadThatHasNoTurnByLoadTimeoutIsOverload(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		free := make(chan struct{})
		t.Cleanup(func() { close(free) })
		caches := open(w, "c", loader.Of(func(context.Context, string) (string, error) {
			<-free
			return "late", nil
		}), mesh.Options{MaxLoads: 1, LoadTimeout: 2 * time.Second})
		keys := w.keysOf("c", "m1", 2)
		_, err := caches[1].Get(w.ctx, keys[0])
		wantErr(t, err, context.DeadlineExceeded)
		for _, c := range caches { // a loader that is deaf to its context keeps its place
			began := time.Now()
			_, err := c.Get(w.ctx, keys[1])
			wantErr(t, err, mesh.ErrOverloaded)
			if d := time.Since(began); d > 2200*time.Millisecond {
				t.Errorf("it took %v", d)
			}
		}
	})
}
