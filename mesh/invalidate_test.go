package mesh_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/testenv"
)

// writes are the calls that must not let an older value be read afterwards.
var writes = map[string]func(ctx context.Context, c *mesh.Cache[[]byte], key string) error{
	"Invalidate": func(ctx context.Context, c *mesh.Cache[[]byte], key string) error { return c.Invalidate(ctx, key) },
	"Clear":      func(ctx context.Context, c *mesh.Cache[[]byte], _ string) error { return c.Clear(ctx) },
	"Set": func(ctx context.Context, c *mesh.Cache[[]byte], key string) error {
		return c.Set(ctx, key, loader.Item[[]byte]{Value: []byte("set")})
	},
	"Set without keeping": func(ctx context.Context, c *mesh.Cache[[]byte], key string) error {
		return c.Set(ctx, key, loader.Item[[]byte]{Value: []byte("unkept"), NoStore: true})
	},
	"Set of the expired": func(ctx context.Context, c *mesh.Cache[[]byte], key string) error {
		return c.Set(ctx, key, loader.Item[[]byte]{Value: []byte("unkept"), TTL: -1})
	},
}

func TestWhatAWriteOvertakesIsAnsweredOnceAndKeptNowhere(t *testing.T) {
	for name, write := range writes {
		t.Run(name, func(t *testing.T) {
			bubble(t, 3, func(t *testing.T, w *town) {
				o := testenv.NewOrigin()
				caches := open[[]byte](w, "c", o, mesh.Options{})
				for writer := range caches {
					key := w.keyOf("c", "m1") // m0 and m2 fetch what m1 loads
					before := o.LoadsOf(key)
					o.Hold()
					var waiting []<-chan answer[[]byte]
					for _, c := range caches {
						if writer > 0 {
							if err := c.Invalidate(w.ctx, key); err != nil {
								t.Fatal(err)
							}
						}
						waiting = append(waiting, get(w.ctx, c, key))
					}
					w.soon("the load has begun", func() bool { return o.Waiting() > 0 })
					time.Sleep(time.Second)
					if err := write(w.ctx, caches[writer], key); err != nil {
						t.Fatalf("m%d: %v", writer, err)
					}
					atWrite := o.LoadsOf(key)
					afterwards := get(w.ctx, caches[(writer+1)%3], key)
					time.Sleep(time.Second)
					o.Release()
					for i, ch := range waiting {
						a := <-ch
						if name == "Set" && string(a.value) == "set" {
							continue // newer than it had to be
						}
						if n := number(t, key, a); n <= before || n > atWrite+1 { // a newer one is as good: its question may have been repeated
							t.Errorf("m%d, who waited when m%d wrote, got load %d of %d", i, writer, n, atWrite)
						}
					}
					check := func(i int, a answer[[]byte]) {
						t.Helper()
						if name == "Set" {
							want(t, a.value, a.err, "set")
						} else if n := number(t, key, a); n != atWrite+1 {
							t.Errorf("m%d got load %d after m%d wrote at load %d", i, n, writer, atWrite)
						}
					}
					check((writer+1)%3, <-afterwards)
					for i, c := range caches {
						check(i, <-get(w.ctx, c, key))
					}
					n := o.LoadsOf(key)
					if name == "Set" && n != atWrite || name != "Set" && n != atWrite+1 {
						t.Errorf("%d loads, and %d at the write", n, atWrite)
					}
				}
			})
		})
	}
}

// number is the number of the load that an answer comes from.
func number(t *testing.T, key string, a answer[[]byte]) (n int) {
	t.Helper()
	rest, ok := strings.CutPrefix(string(a.value), key+"#")
	if a.err != nil || !ok {
		t.Fatalf("got %q, %v", a.value, a.err)
	}
	fmt.Sscan(rest, &n)
	return n
}

func TestNoGetAfterAnInvalidateReadsAnOlderLoad(t *testing.T) {
	bubble(t, 3, func(t *testing.T, w *town) {
		o := testenv.NewOrigin()
		caches := open[[]byte](w, "c", o, mesh.Options{})
		keys := []string{w.keyOf("c", "m0"), w.keyOf("c", "m1"), w.keyOf("c", "m2")}
		ctx, cancel := context.WithCancel(w.ctx)
		var readers sync.WaitGroup
		for _, c := range caches { // they keep flights and replicas under way
			for _, key := range keys {
				for range 2 {
					readers.Go(func() {
						for ctx.Err() == nil {
							_, _ = c.Get(ctx, key)
							time.Sleep(time.Millisecond)
						}
					})
				}
			}
		}
		o.SetDelay(3 * time.Millisecond)
		for round := range 100 {
			key := keys[round%3]
			begun := o.LoadsOf(key)
			if err := caches[(round/3)%3].Invalidate(w.ctx, key); err != nil {
				t.Fatal(err)
			}
			for i, c := range caches {
				if n := number(t, key, <-get(w.ctx, c, key)); n <= begun {
					t.Fatalf("round %d: m%d read load %d of a time when %d had begun", round, i, n, begun)
				}
			}
			time.Sleep(time.Duration(round%7) * time.Millisecond)
		}
		cancel()
		readers.Wait()
	})
}

func TestOfSetsInOrderTheLastStandsEverywhere(t *testing.T) {
	bubble(t, 3, func(t *testing.T, w *town) {
		o := testenv.NewOrigin()
		caches := open[[]byte](w, "c", o, mesh.Options{})
		for round := range 200 {
			key := fmt.Sprint("k", round)
			for i := range 2 {
				c := caches[(round+i*(1+round/3%2))%3]
				if err := c.Set(w.ctx, key, loader.Item[[]byte]{Value: fmt.Append(nil, "set", i)}); err != nil {
					t.Fatal(err)
				}
			}
			for i, c := range caches {
				got, err := c.Get(w.ctx, key)
				if want(t, got, err, "set1"); t.Failed() {
					t.Fatalf("round %d on m%d", round, i)
				}
			}
		}
		if n := o.Loads(); n != 0 {
			t.Errorf("%d loads of what was set", n)
		}
		if st := caches[0].Stats(); st.Sets == 0 {
			t.Errorf("the stats count no Set: %+v", st)
		}
	})
}

func TestConcurrentSetsLeaveOneOfThemOrNone(t *testing.T) {
	bubble(t, 3, func(t *testing.T, w *town) {
		o := testenv.NewOrigin()
		caches := open[[]byte](w, "c", o, mesh.Options{})
		var keys []string
		read := func(key string) (seen map[string]bool) {
			seen = map[string]bool{}
			for _, c := range caches {
				got, err := c.Get(w.ctx, key)
				if err != nil {
					t.Fatal(err)
				}
				seen[string(got)] = true
			}
			return seen
		}
		for round := range 50 {
			key := fmt.Sprint("k", round)
			keys = append(keys, key)
			var wg sync.WaitGroup
			before := o.Loads()
			for i, c := range caches {
				wg.Go(func() {
					if err := c.Set(w.ctx, key, loader.Item[[]byte]{Value: fmt.Append(nil, "set", i)}); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if n := o.Loads() - before; n != 0 {
				t.Errorf("round %d: %d loads, and nobody has read", round, n)
			}
			for got := range read(key) {
				if got != "set0" && got != "set1" && got != "set2" && got != key+"#1" {
					t.Errorf("round %d: %s", round, got)
				}
			}
		}
		time.Sleep(mesh.DefaultReplicaTTL) // a writer's own copy may differ as long
		for _, key := range keys {
			if seen := read(key); len(seen) != 1 {
				t.Errorf("members disagree for good about %s: %v", key, seen)
			}
		}
	})
}

func TestASetKeepsAllOfTheItem(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		o := testenv.NewOrigin()
		caches := open[[]byte](w, "c", o, mesh.Options{Jitter: -1})
		for _, owner := range []string{"m0", "m1"} {
			key := w.keyOf("c", owner)
			item := loader.Item[[]byte]{Value: []byte("v"), TTL: 20 * time.Second, ETag: "e", Version: 7, Tags: []string{"t", "u"}}
			if err := caches[0].Set(w.ctx, key, item); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Second)
			for i, c := range caches {
				e, err := c.Lookup(w.ctx, key)
				if err != nil || string(e.Value) != "v" || e.ETag != "e" || e.Version != 7 || fmt.Sprint(e.Tags) != "[t u]" ||
					e.TTL > 15*time.Second || e.TTL < 14900*time.Millisecond || e.Age < 5*time.Second || e.Age > 5100*time.Millisecond || e.Owner != owner {
					t.Errorf("m%d: %+v, %v", i, e, err)
				}
			}
			time.Sleep(15 * time.Second)
			for _, c := range caches {
				got, err := c.Get(w.ctx, key)
				want(t, got, err, key+"#1")
			}
		}
	})
}

func TestAWriteOfABadKeyOrValueIsRefusedWhole(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		o := testenv.NewOrigin()
		caches := open[[]byte](w, "c", o, mesh.Options{MaxValueBytes: 100})
		for _, key := range []string{"", string(make([]byte, 65537))} {
			_, err := caches[0].Get(w.ctx, key)
			wantErr(t, err, mesh.ErrBadKey)
			_, err = caches[0].Lookup(w.ctx, key)
			wantErr(t, err, mesh.ErrBadKey)
			wantErr(t, caches[0].Set(w.ctx, key, loader.Item[[]byte]{}), mesh.ErrBadKey)
			wantErr(t, caches[0].Invalidate(w.ctx, "fine", key), mesh.ErrBadKey)
		}
		wantErr(t, caches[0].Set(w.ctx, "k", loader.Item[[]byte]{Value: make([]byte, 101)}), mesh.ErrTooLarge)
		if err := caches[0].Set(w.ctx, "k", loader.Item[[]byte]{NotModified: true}); err == nil {
			t.Error("a Set of what is not modified was taken")
		}
		if err := caches[0].Invalidate(w.ctx); err != nil {
			t.Errorf("of nothing: %v", err)
		}
	})
}

func TestAnInvalidationOfManyKeysReachesAll(t *testing.T) {
	bubble(t, 3, func(t *testing.T, w *town) {
		o := testenv.NewOrigin()
		caches := open[[]byte](w, "c", o, mesh.Options{})
		var keys []string
		for i := range 3000 { // more than a message takes
			keys = append(keys, fmt.Sprint(strings.Repeat("x", 500), i))
		}
		for _, c := range caches {
			if _, err := c.GetMany(w.ctx, keys); err != nil {
				t.Fatal(err)
			}
		}
		if err := caches[1].Invalidate(w.ctx, keys...); err != nil {
			t.Fatal(err)
		}
		for i, c := range caches {
			got, err := c.GetMany(w.ctx, keys)
			if err != nil {
				t.Fatal(err)
			}
			for key, v := range got {
				if want(t, v, nil, key+"#2"); t.Failed() {
					t.Fatalf("on m%d", i)
				}
			}
		}
	})
}

func TestAnInvalidationNamesWhoHasNotConfirmed(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		s := testenv.InProcess(t)
		w := newTown(t, s, 2)
		link := testenv.NewLink(t, s)
		far, err := mesh.Join(w.ctx, link.Connect(t), mesh.Config{ID: "far", Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		w.meshes = append(w.meshes, far)
		t.Cleanup(func() { link.Heal(); _ = far.Leave(w.ctx) })
		o := testenv.NewOrigin()
		caches := open[[]byte](w, "c", o, mesh.Options{})
		key := w.keyOf("c", "m0")
		for _, c := range caches {
			got, err := c.Get(w.ctx, key)
			want(t, got, err, key+"#1")
		}
		link.Swallow()
		done, cancel := context.WithCancel(w.ctx)
		cancel()
		for _, ctx := range []context.Context{done, w.ctx} {
			bounded, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
			began := time.Now()
			err = caches[1].Invalidate(bounded, key)
			cancel()
			var pe *mesh.PartialError
			if !errors.As(err, &pe) || fmt.Sprint(pe.Members) != "[far]" {
				// under a context that is done, nobody may have confirmed
				if ctx == w.ctx || !errors.As(err, &pe) || fmt.Sprint(pe.Members) != "[far m0]" {
					t.Fatalf("the error is %v", err)
				}
			}
			if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
				t.Errorf("why it stopped waiting is not told: %v", err)
			}
			if d := time.Since(began); d > 600*time.Millisecond {
				t.Errorf("it took %v", d)
			}
		}
		got, err := caches[1].Get(w.ctx, key)
		want(t, got, err, key+"#2")
		link.Heal()
		w.soon("what had not been confirmed gets there behind the caller's back", func() bool {
			got, err := caches[2].Get(w.ctx, key)
			return err == nil && string(got) == key+"#2"
		})
	})
}

func TestInvalidationsWithoutAPausePutOffNoHeartbeat(t *testing.T) {
	w := newTown(t, testenv.NATS(t), 0)
	for i := range 3 {
		w.join(mesh.Config{ID: fmt.Sprint("m", i), Heartbeat: 50 * time.Millisecond})
	}
	caches := open[[]byte](w, "c", testenv.NewOrigin(), mesh.Options{})
	w.settled("c", 3)
	for deadline, i := time.Now().Add(2*time.Second), 0; time.Now().Before(deadline); i++ {
		if err := caches[0].Invalidate(w.ctx, fmt.Sprint("key", i%100)); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(w.log.String(), "evicted"); n > 1 { // of members that share two processors
		t.Errorf("%d members that live were evicted:\n%s", n, w.log)
	}
}

func TestMuchThatIsClearedIsGivenBackByAll(t *testing.T) {
	virtual(t, 2, func(t *testing.T, r *rig) {
		keys, _ := r.keys(12_000, "")
		for _, m := range r.all {
			if got, err := m.cache.GetMany(r.within(10*time.Second), keys); err != nil || len(got) != len(keys) {
				t.Fatalf("%d values, %v", len(got), err)
			}
		}
		for range 3 {
			if err := r.all[0].cache.Clear(r.within(time.Second)); err != nil {
				t.Fatal(err)
			}
		}
		if n := r.all[0].cache.Stats().Entries; n != 0 {
			t.Errorf("who has cleared holds %d entries", n)
		}
		testenv.Eventually(t, time.Second, "the other holds nothing", func() bool { return r.all[1].cache.Stats().Entries == 0 })
		before := r.origin.Loads()
		r.readAll(keys[:100], r.all...)
		if n := r.origin.Loads() - before; n != 100 {
			t.Errorf("%d loads of 100 keys that have been cleared", n)
		}
	})
}
