package mesh_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/testenv"
)

type traceKey struct{}

func traced(ctx context.Context, trace string) context.Context {
	return context.WithValue(ctx, traceKey{}, trace)
}

// listener is an Observer that counts, and notes all events once noting is on.
type listener struct {
	noting bool // set before the first event

	mu            sync.Mutex // guards the rest
	reads         []mesh.ReadEvent
	loads         []mesh.LoadEvent
	ended         []error
	invalidations []mesh.InvalidateEvent
}

func (o *listener) Read(_ context.Context, e mesh.ReadEvent) {
	if o.noting {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.reads = append(o.reads, e)
	}
}

func (o *listener) Load(ctx context.Context, e mesh.LoadEvent) (context.Context, func(error)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.loads = append(o.loads, e)
	return traced(ctx, "of the load"), func(err error) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.ended = append(o.ended, err)
	}
}

func (o *listener) Invalidate(_ context.Context, e mesh.InvalidateEvent) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.invalidations = append(o.invalidations, e)
}

func (o *listener) Trace(ctx context.Context) string {
	s, _ := ctx.Value(traceKey{}).(string)
	return s
}

// take gives what has been noted, and forgets it.
func (o *listener) take() (reads []mesh.ReadEvent, loads []mesh.LoadEvent, ended []error, invalidations []mesh.InvalidateEvent) {
	o.mu.Lock()
	defer o.mu.Unlock()
	reads, loads, ended, invalidations = o.reads, o.loads, o.ended, o.invalidations
	o.reads, o.loads, o.ended, o.invalidations = nil, nil, nil, nil
	return reads, loads, ended, invalidations
}

func TestAnObserverIsToldOfReadsLoadsAndInvalidations(t *testing.T) {
	for caller, name := range []string{"owner", "non-owner"} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 2, func(t *testing.T, w *town) {
				ears := []*listener{{noting: true}, {noting: true}}
				var inLoader atomic.Value // of string
				from := loader.Of(func(ctx context.Context, key string) (string, error) {
					inLoader.Store(ctx.Value(traceKey{}))
					time.Sleep(100 * time.Millisecond)
					return "v", nil
				})
				var caches []*mesh.Cache[string]
				for i, m := range w.meshes {
					caches = append(caches, openOn(w, m, "c", from, mesh.Options{
						TTL: 10 * time.Second, Jitter: -1, StaleWhileRevalidate: time.Minute, Observer: ears[i],
					}))
				}
				w.settled("c", 2)
				key := w.keyOf("c", "m0")
				c, here := caches[caller], ears[caller]
				memory := []mesh.Source{mesh.Local, mesh.Owner}[caller]
				read := func(trace string, from mesh.Source, stale bool) {
					t.Helper()
					got, err := c.Get(traced(w.ctx, trace), key)
					want(t, got, err, "v")
					here.mu.Lock()
					defer here.mu.Unlock()
					if len(here.reads) != 1 {
						t.Fatalf("%d reads", len(here.reads))
					}
					e := here.reads[0]
					here.reads = nil
					if e.Cache != "c" || e.Key != key || e.Source != from || e.Stale != stale || e.Err != nil || e.Took > 110*time.Millisecond || (e.Took < 100*time.Millisecond) != (from != mesh.Loaded) {
						t.Errorf("told of the read %+v", e)
					}
				}
				load := func(trace string, background bool) {
					t.Helper()
					time.Sleep(200 * time.Millisecond)
					_, loads, ended, _ := ears[0].take()
					if len(loads) != 1 || len(ended) != 1 || ended[0] != nil {
						t.Fatalf("loads %+v, ends %v", loads, ended)
					}
					e := loads[0]
					if e.Cache != "c" || !slices.Equal(e.Keys, []string{key}) || e.Trace != trace || e.Background != background {
						t.Errorf("told of the load %+v", e)
					}
					if inLoader.Load() != "of the load" {
						t.Errorf("the loader's context has %q", inLoader.Load())
					}
				}
				read("trace 1", mesh.Loaded, false)
				load("trace 1", false)
				read("trace 2", memory, false)
				time.Sleep(11 * time.Second)
				read("trace 3", memory, true)
				load("trace 3", true)
				for _, tt := range []struct {
					do   func(mesh.InvalidateEvent) bool
					call error
				}{
					{func(e mesh.InvalidateEvent) bool { return slices.Equal(e.Keys, []string{"a", "b"}) }, c.Invalidate(w.ctx, "a", "b")},
					{func(e mesh.InvalidateEvent) bool { return slices.Equal(e.Tags, []string{"t"}) }, c.InvalidateTags(w.ctx, "t")},
					{func(e mesh.InvalidateEvent) bool { return e.All }, c.Clear(w.ctx)},
					{func(e mesh.InvalidateEvent) bool { return slices.Equal(e.Keys, []string{key}) }, c.Set(w.ctx, key, loader.Item[string]{Value: "v"})},
				} {
					wantErr(t, tt.call, nil)
					here.mu.Lock()
					e := here.invalidations[0]
					here.invalidations = here.invalidations[1:]
					here.mu.Unlock()
					if !tt.do(e) || e.Cache != "c" || e.Err != nil {
						t.Errorf("told of the invalidation %+v", e)
					}
				}
				here.take()
				if _, err := c.GetMany(traced(w.ctx, "many"), []string{key, "x", "y"}); err != nil {
					t.Fatal(err)
				}
				reads, _, _, _ := here.take()
				if len(reads) != 3 {
					t.Errorf("told of %d reads of GetMany", len(reads))
				}
				if _, err := c.Get(w.ctx, "unknown", mesh.CachedOnly()); err == nil {
					t.Error("got a value")
				}
				reads, _, _, _ = here.take()
				if len(reads) != 1 || !errors.Is(reads[0].Err, mesh.ErrNotCached) || reads[0].Source != 0 {
					t.Errorf("told of the reads %+v", reads)
				}
			})
		})
	}
}

func TestAnObserverIsToldOfABatchAndOfErrors(t *testing.T) {
	ear := &listener{noting: true}
	crowded(t, 1, mesh.Options{Observer: ear}, func(t *testing.T, w *town, from *crowd, caches []*mesh.Cache[string]) {
		from.does(func(context.Context, []string) (*loader.KeysError, error) { return nil, errDisk })
		long := traced(w.ctx, string(make([]byte, 1000))) // no trace is that long
		_, err := caches[0].GetMany(long, manyKeys(5))
		reads, loads, ended, _ := ear.take()
		if err == nil || len(reads) != 5 || len(loads) != 1 || len(loads[0].Keys) != 5 || loads[0].Trace != "" || len(ended) != 1 || !errors.Is(ended[0], errDisk) {
			t.Errorf("%v: %d reads, loads %+v, ends %v", err, len(reads), loads, ended)
		}
		for _, e := range reads {
			if !errors.Is(e.Err, errDisk) || e.Source != 0 {
				t.Errorf("told of the read %+v", e)
			}
		}
	})
}

// record is a value that has to be decoded.
type record struct{ Name string }

func TestALocalHitOfWhateverOptionsAllocatesNothing(t *testing.T) {
	w := newTown(t, testenv.NATS(t), 2)
	for name, opts := range map[string]mesh.Options{"none": {}, "all": everything()} {
		from := loader.Of(func(_ context.Context, key string) (record, error) { return record{key}, nil })
		caches := open(w, name, from, opts)
		for _, tt := range []struct {
			what string
			key  string
		}{{"owned", w.keyOf(name, "m0")}, {"replica", w.keyOf(name, "m1")}} {
			for range 50 {
				if _, err := caches[0].Get(w.ctx, tt.key); err != nil {
					t.Fatal(err)
				}
			}
			w.soon("it is held here", func() bool {
				e, err := caches[0].Lookup(w.ctx, tt.key)
				return err == nil && (e.Source == mesh.Local || e.Source == mesh.Replica)
			})
			if n := testing.AllocsPerRun(500, func() { _, _ = caches[0].Get(w.ctx, tt.key) }); n != 0 && !raceDetector {
				t.Errorf("a hit of what is %s with %s options on allocates %v times", tt.what, name, n)
			}
		}
		if s := caches[0].Stats(); s.Hits < 500 || s.ReplicaHits < 500 {
			t.Errorf("%d hits, %d replica hits", s.Hits, s.ReplicaHits)
		}
	}
}

func TestEveryReadGivesTheSameDecodedValue(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		from := loader.Of(func(_ context.Context, key string) (*page, error) { return &page{key}, nil })
		caches := open(w, "c", from, mesh.Options{})
		key := w.keyOf("c", "m0")
		for range 20 {
			for _, c := range caches {
				if _, err := c.Get(w.ctx, key); err != nil {
					t.Fatal(err)
				}
			}
		}
		for i, c := range caches {
			first, _ := c.Get(w.ctx, key)
			e, _ := c.Lookup(w.ctx, key)
			many, _ := c.GetMany(w.ctx, []string{key})
			if e.Value != first || many[key] != first || first.Text != key {
				t.Errorf("m%d decodes it again: %p %p %p", i, first, e.Value, many[key])
			}
		}
	})
}
