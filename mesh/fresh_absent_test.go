package mesh_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
)

// shelf is a batch loader of the values that it has been given; it counts what it is asked.
type shelf struct {
	mu     sync.Mutex // guards the rest
	values map[string]string
	asked  map[string]int
	calls  int
}

func newShelf() *shelf { return &shelf{values: map[string]string{}, asked: map[string]int{}} }

func (s *shelf) put(key, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[key] = value
}

func (s *shelf) askedFor(key string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[key]
}

func (s *shelf) get(_ context.Context, keys []string) (map[string]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	out := map[string]string{}
	for _, key := range keys {
		s.asked[key]++
		if v, ok := s.values[key]; ok {
			out[key] = v
		}
	}
	return out, nil
}

func TestAnAbsenceIsRememberedUntilItsTTLOrAWord(t *testing.T) {
	endings := map[string]func(c *mesh.Cache[string], key string) error{
		"its TTL": func(*mesh.Cache[string], string) error { time.Sleep(10 * time.Second); return nil },
		"Invalidate": func(c *mesh.Cache[string], key string) error {
			return c.Invalidate(context.Background(), key)
		},
		"Clear": func(c *mesh.Cache[string], _ string) error { return c.Clear(context.Background()) },
		"Set": func(c *mesh.Cache[string], key string) error {
			return c.Set(context.Background(), key, loader.Item[string]{Value: "now there"})
		},
		"Fresh": func(c *mesh.Cache[string], key string) error {
			_, err := c.Get(context.Background(), key, mesh.Fresh())
			return err
		},
	}
	for loads, from := range map[string]func(*shelf) loader.Loader[string]{
		"singly": func(s *shelf) loader.Loader[string] {
			return loader.Of(func(ctx context.Context, key string) (string, error) {
				if v, ok := must(s.get(ctx, []string{key}))[key]; ok {
					return v, nil
				}
				return "", mesh.ErrNotFound
			})
		},
		"in batches": func(s *shelf) loader.Loader[string] { return loader.OfMany(s.get) },
	} {
		for by, end := range endings {
			for _, ender := range []int{0, 1} {
				t.Run(fmt.Sprintf("%s/%s/m%d", loads, by, ender), func(t *testing.T) {
					bubble(t, 2, func(t *testing.T, w *town) {
						s := newShelf()
						caches := open(w, "c", from(s), mesh.Options{NegativeTTL: 10 * time.Second, Jitter: -1})
						key, others := w.keyOf("c", "m0"), w.keysOf("c", "m0", 3)[1:]
						absent := func() {
							t.Helper()
							for _, c := range caches {
								_, err := c.Get(w.ctx, key)
								wantErr(t, err, mesh.ErrNotFound)
								got, err := c.GetMany(w.ctx, append(others, key))
								if err != nil || len(got) != 0 {
									t.Errorf("GetMany gives %v, %v", got, err)
								}
							}
						}
						absent()
						s.put(key, "now there")
						absent()
						for _, k := range append(others, key) {
							if n := s.askedFor(k); n != 1 {
								t.Errorf("%s was asked for %d times", k, n)
							}
						}
						if err := end(caches[ender], key); err != nil {
							t.Fatal(err)
						}
						for _, c := range caches {
							got, err := c.Get(w.ctx, key)
							want(t, got, err, "now there")
						}
					})
				})
			}
		}
	}
}

func must[T any](v T, _ error) T { return v }

func TestCachedOnlyKnowsOfAnAbsence(t *testing.T) {
	fromBoth(t, mesh.Options{NegativeTTL: 10 * time.Second}, func(t *testing.T, l *lab) {
		l.origin.fail(mesh.ErrNotFound)
		_, err := l.here().Get(l.ctx, l.key)
		wantErr(t, err, mesh.ErrNotFound)
		_, err = l.here().Get(l.ctx, l.key, mesh.CachedOnly())
		wantErr(t, err, mesh.ErrNotFound)
		if n := l.origin.all(); n != 1 {
			t.Errorf("%d loads", n)
		}
		if n := l.caches[0].Stats().Grants; n != 0 {
			t.Errorf("%d absences were granted as replicas", n)
		}
	})
}

func TestANewerAnswerEndsTheReplicaOfTheMemberThatGotIt(t *testing.T) {
	for name, change := range map[string]func(s *source){
		"not found": func(s *source) { s.fails = mesh.ErrNotFound },
		"no store": func(s *source) {
			s.edit = func(_ loader.Request[string], _ int, item *loader.Item[string]) { item.NoStore = true }
		},
		"too large": func(s *source) {
			s.edit = func(_ loader.Request[string], _ int, item *loader.Item[string]) {
				item.Value = string(make([]byte, 2000))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, 2, mesh.Options{MaxValueBytes: 1000, ReplicaTTL: time.Minute}, func(t *testing.T, l *lab) {
				for range 20 {
					l.look(1)
				}
				if e := l.look(1); e.Source != mesh.Replica {
					t.Fatalf("from %v", e.Source)
				}
				l.origin.set(change)
				_, _ = l.caches[1].Get(l.ctx, l.key, mesh.Fresh())
				for i, c := range l.caches {
					if v, err := c.Get(l.ctx, l.key); err == nil && v == l.nth(1) {
						t.Errorf("m%d has gone back to %q", i, v)
					}
				}
			})
		})
	}
}
