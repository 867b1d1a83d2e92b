package mesh_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
)

// crowd is a batch loader of "v" and the key that notes its calls.
type crowd struct {
	mu    sync.Mutex // guards the rest
	calls [][]string // the keys of each call
	// during, if set, is called in each call.
	during func(ctx context.Context, keys []string) (*loader.KeysError, error)
}

func (c *crowd) load(ctx context.Context, keys []string) (map[string]string, error) {
	c.mu.Lock()
	c.calls = append(c.calls, slices.Clone(keys))
	during := c.during
	c.mu.Unlock()
	out := map[string]string{}
	for _, key := range keys {
		out[key] = "v" + key
	}
	if during == nil {
		return out, nil
	}
	some, err := during(ctx, keys)
	if err != nil {
		return nil, err
	}
	if some != nil {
		return out, fmt.Errorf("some failed: %w", some)
	}
	return out, nil
}

// does makes the calls from now on do f, too.
func (c *crowd) does(f func(ctx context.Context, keys []string) (*loader.KeysError, error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.during = f
}

// sizes are the numbers of keys in each call, and most is how often one key was asked for.
func (c *crowd) sizes() (sizes []int, most int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	asked := map[string]int{}
	for _, keys := range c.calls {
		sizes = append(sizes, len(keys))
		for _, key := range keys {
			asked[key]++
			most = max(most, asked[key])
		}
	}
	return sizes, most
}

func crowded(t *testing.T, n int, opts mesh.Options, f func(t *testing.T, w *town, from *crowd, caches []*mesh.Cache[string])) {
	t.Helper()
	bubble(t, n, func(t *testing.T, w *town) {
		from := &crowd{}
		f(t, w, from, open(w, "c", loader.Loader[string](loader.OfMany(from.load)), opts))
	})
}

func manyKeys(n int) (keys []string) {
	for i := range n {
		keys = append(keys, fmt.Sprint("k", i))
	}
	return keys
}

func TestGetManyMakesFewCallsOfTheLoader(t *testing.T) {
	for name, tt := range map[string]struct {
		opts       mesh.Options
		calls, top int
	}{
		"by default":       {mesh.Options{}, 12, 256},
		"without a window": {mesh.Options{BatchWindow: -1}, 12, 256},
		"a limit of 50":    {mesh.Options{BatchLimit: 50}, 20, 50},
		"a limit of 1":     {mesh.Options{BatchLimit: 1}, 603, 1},
		"one load at once": {mesh.Options{MaxLoads: 1}, 12, 256},
	} {
		t.Run(name, func(t *testing.T) {
			crowded(t, 3, tt.opts, func(t *testing.T, w *town, from *crowd, caches []*mesh.Cache[string]) {
				keys := manyKeys(603)
				var readers sync.WaitGroup
				for _, c := range caches { // all at once: a key is loaded once all the same
					readers.Go(func() {
						got, err := c.GetMany(w.ctx, keys)
						if err != nil || len(got) != 603 || got["k17"] != "vk17" {
							t.Errorf("%d values, %v", len(got), err)
						}
					})
				}
				readers.Wait()
				sizes, most := from.sizes()
				if len(sizes) > tt.calls || most != 1 || slices.Max(sizes) > tt.top {
					t.Errorf("calls for %v keys, one key %d times", sizes, most)
				}
				var calls, of uint64
				for _, c := range caches {
					calls += c.Stats().Loads
					of += c.Stats().KeysLoaded
				}
				if calls != uint64(len(sizes)) || of != 603 {
					t.Errorf("the stats say %d loads of %d keys", calls, of)
				}
			})
		})
	}
}

func TestLoneMissesRideAlong(t *testing.T) {
	singles := func(t *testing.T, w *town, c *mesh.Cache[string], keys []string) time.Duration {
		var wg sync.WaitGroup
		began := time.Now()
		for i, key := range keys {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 20 * time.Microsecond)
				got, err := c.Get(w.ctx, key)
				want(t, got, err, "v"+key)
			})
		}
		wg.Wait()
		return time.Since(began)
	}
	for _, caller := range []int{0, 1} {
		t.Run(fmt.Sprint("m", caller), func(t *testing.T) {
			crowded(t, 2, mesh.Options{}, func(t *testing.T, w *town, from *crowd, caches []*mesh.Cache[string]) {
				took := singles(t, w, caches[caller], w.keysOf("c", "m0", 20))
				if sizes, most := from.sizes(); len(sizes) > 2 || most != 1 {
					t.Errorf("calls for %v keys", sizes)
				}
				between(t, took, time.Millisecond, 3*time.Millisecond)
			})
			crowded(t, 2, mesh.Options{BatchWindow: 100 * time.Millisecond}, func(t *testing.T, w *town, from *crowd, caches []*mesh.Cache[string]) {
				took := singles(t, w, caches[caller], w.keysOf("c", "m0", 1))
				between(t, took, 100*time.Millisecond, 101*time.Millisecond)
			})
			crowded(t, 2, mesh.Options{BatchWindow: -1}, func(t *testing.T, w *town, from *crowd, caches []*mesh.Cache[string]) {
				took := singles(t, w, caches[caller], w.keysOf("c", "m0", 20))
				if sizes, most := from.sizes(); caller == 0 && len(sizes) != 20 || most != 1 {
					t.Errorf("calls for %v keys", sizes)
				}
				between(t, took, 0, time.Millisecond)
			})
		})
	}
}

func TestGetManyWaitsForNoCompany(t *testing.T) {
	crowded(t, 2, mesh.Options{BatchWindow: time.Second}, func(t *testing.T, w *town, from *crowd, caches []*mesh.Cache[string]) {
		for i, c := range caches {
			began := time.Now()
			keys := append(w.keysOf("c", "m0", 10*(i+1)), w.keysOf("c", "m1", 10*(i+1))...)
			if got, err := c.GetMany(w.ctx, keys); err != nil || len(got) != len(keys) {
				t.Errorf("%d values, %v", len(got), err)
			}
			atOnce(t, time.Since(began))
		}
	})
}

func TestALoneMissOfAPlainLoaderWaitsForNobody(t *testing.T) {
	inLab(t, 2, mesh.Options{BatchWindow: time.Second}, func(t *testing.T, l *lab) {
		_, took := l.read()
		atOnce(t, took)
	})
}

func TestABatchThatFailsForAKeyFailsThatKeyAlone(t *testing.T) {
	for _, caller := range []int{0, 1} {
		t.Run(fmt.Sprint("m", caller), func(t *testing.T) {
			crowded(t, 2, mesh.Options{}, func(t *testing.T, w *town, from *crowd, caches []*mesh.Cache[string]) {
				from.during = func(_ context.Context, keys []string) (*loader.KeysError, error) {
					some := &loader.KeysError{Errs: map[string]error{}}
					for _, key := range keys {
						switch key {
						case "k3":
							some.Errs[key] = errDisk
						case "k4":
							some.Errs[key] = fmt.Errorf("no row: %w", mesh.ErrNotFound)
						}
					}
					return some, nil
				}
				got, err := caches[caller].GetMany(w.ctx, manyKeys(20))
				var ke *mesh.KeysError
				if !errors.As(err, &ke) || len(ke.Errs) != 1 || len(got) != 18 {
					t.Fatalf("%d values, %v", len(got), err)
				}
				var le *mesh.LoadError
				if !errors.As(ke.Errs["k3"], &le) || le.Key != "k3" || le.Err.Error() != errDisk.Error() {
					t.Errorf("k3 failed with %v", ke.Errs["k3"])
				}
				sizes, _ := from.sizes()
				from.does(nil)
				if got, err := caches[caller].GetMany(w.ctx, manyKeys(20)); err != nil || len(got) != 20 {
					t.Errorf("%d values, %v", len(got), err)
				}
				if again, _ := from.sizes(); len(again) > len(sizes)+2 {
					t.Errorf("what had not failed was loaded again: calls for %v keys", again)
				}
			})
		})
	}
}

func TestALoadManyThatPanicsOrFailsFailsItsKeysAndNoLater(t *testing.T) {
	for name, during := range map[string]func(context.Context, []string) (*loader.KeysError, error){
		"panics": func(context.Context, []string) (*loader.KeysError, error) { panic("oops") },
		"fails":  func(context.Context, []string) (*loader.KeysError, error) { return nil, errDisk },
		"hangs": func(ctx context.Context, _ []string) (*loader.KeysError, error) {
			<-ctx.Done()
			time.Sleep(time.Second) // and is late
			return nil, ctx.Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			crowded(t, 2, mesh.Options{LoadTimeout: 10 * time.Second}, func(t *testing.T, w *town, from *crowd, caches []*mesh.Cache[string]) {
				from.does(during)
				began := time.Now()
				got, err := caches[0].GetMany(w.ctx, manyKeys(20))
				var ke *mesh.KeysError
				if !errors.As(err, &ke) || len(ke.Errs) != 20 || len(got) != 0 {
					t.Fatalf("%d values, %v", len(got), err)
				}
				for key, err := range ke.Errs {
					var le *mesh.LoadError
					if !errors.As(err, &le) || le.Key != key {
						t.Errorf("%s failed with %v", key, err)
					}
				}
				if took := time.Since(began); took > 10100*time.Millisecond {
					t.Errorf("it took %v", took)
				}
				time.Sleep(2 * time.Second)
				from.does(nil)
				for _, c := range caches {
					if got, err := c.GetMany(w.ctx, manyKeys(20)); err != nil || len(got) != 20 {
						t.Errorf("the next call: %d values, %v", len(got), err)
					}
				}
				for i, c := range caches { // a load gives its place back after it has landed
					w.soon(fmt.Sprintf("m%d counts no load under way", i), func() bool { return c.Stats().LoadsUnderWay == 0 })
				}
			})
		})
	}
}

func TestABatchIsCancelledWhenNobodyWaitsForAnyOfItsKeys(t *testing.T) {
	for _, caller := range []int{0, 1} {
		t.Run(fmt.Sprint("m", caller), func(t *testing.T) {
			crowded(t, 2, mesh.Options{}, func(t *testing.T, w *town, from *crowd, caches []*mesh.Cache[string]) {
				ended := make(chan error, 1)
				from.during = func(ctx context.Context, _ []string) (*loader.KeysError, error) {
					<-ctx.Done()
					ended <- ctx.Err()
					return nil, ctx.Err()
				}
				keys := w.keysOf("c", "m0", 20)
				ctx, cancel := context.WithCancel(w.ctx)
				single, leave := context.WithCancel(w.ctx)
				many := later(func() (map[string]string, error) { return caches[caller].GetMany(ctx, keys) })
				time.Sleep(10 * time.Millisecond)
				one := get(single, caches[0], keys[7])
				time.Sleep(10 * time.Millisecond)
				cancel()
				var ke *mesh.KeysError
				if got := <-many; !errors.As(got.err, &ke) || len(ke.Errs) != 20 || !errors.Is(got.err, context.Canceled) {
					t.Errorf("%v", got.err)
				}
				time.Sleep(time.Second)
				select {
				case <-ended:
					t.Error("it was cancelled, and one key is waited for")
				default:
				}
				leave()
				<-one
				select {
				case <-ended:
				case <-time.After(time.Second):
					t.Error("nobody waits, and it goes on")
				}
			})
		})
	}
}

func TestAnInvalidatedKeyIsAskedForOnceInABatch(t *testing.T) {
	crowded(t, 2, mesh.Options{BatchWindow: 100 * time.Millisecond}, func(t *testing.T, w *town, from *crowd, caches []*mesh.Cache[string]) {
		key := w.keyOf("c", "m0")
		before := get(w.ctx, caches[0], key)
		time.Sleep(10 * time.Millisecond)
		if err := caches[1].Invalidate(w.ctx, key); err != nil {
			t.Fatal(err)
		}
		after := get(w.ctx, caches[1], key)
		for _, got := range []answer[string]{<-before, <-after} {
			want(t, got.value, got.err, "v"+key)
		}
		from.mu.Lock()
		defer from.mu.Unlock()
		for _, keys := range from.calls {
			if len(keys) != 1 {
				t.Errorf("a call for %v", keys)
			}
		}
	})
}

func TestAPanicOfLoadManyIsLoggedOnce(t *testing.T) {
	crowded(t, 1, mesh.Options{}, func(t *testing.T, w *town, from *crowd, caches []*mesh.Cache[string]) {
		from.does(func(context.Context, []string) (*loader.KeysError, error) { panic("oops") })
		_, _ = caches[0].GetMany(w.ctx, manyKeys(100))
		if n := strings.Count(w.log.String(), "a loader panicked"); n != 1 {
			t.Errorf("logged %d times", n)
		}
	})
}
