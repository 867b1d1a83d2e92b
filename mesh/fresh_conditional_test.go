package mesh_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/loader/fileorigin"
	"github.com/cachemesh/cachemesh/loader/httporigin"
	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/testenv"
)

// numbered gives items an ETag, a version and tags.
func numbered(_ loader.Request[string], n int, item *loader.Item[string]) {
	item.ETag, item.Version, item.Tags = fmt.Sprint("e", n), uint64(10+n), []string{"t"}
}

func TestALoadAfterExpiryIsGivenTheItemBefore(t *testing.T) {
	fromBoth(t, mesh.Options{TTL: 10 * time.Second}, func(t *testing.T, l *lab) {
		l.origin.items(numbered)
		l.look(l.caller)
		if l.origin.lastPrev() != nil {
			t.Error("the first load has a Prev")
		}
		has := func(n int) {
			t.Helper()
			p := l.origin.lastPrev()
			if p == nil || p.Value != l.nth(n) || p.ETag != fmt.Sprint("e", n) || p.Version != uint64(10+n) || !slices.Equal(p.Tags, []string{"t"}) {
				t.Errorf("Prev is %+v, want load %d", p, n)
			}
		}
		time.Sleep(11 * time.Second)
		l.look(l.caller)
		has(1)
		l.look(l.caller, mesh.Fresh())
		has(2)
		for _, drop := range []func() error{
			func() error { return l.here().Invalidate(l.ctx, l.key) },
			func() error { return l.caches[1-l.caller].InvalidateTags(l.ctx, "t") },
			func() error { return l.here().Clear(l.ctx) },
		} {
			wantErr(t, drop(), nil)
			l.look(l.caller)
			if p := l.origin.lastPrev(); p != nil {
				t.Errorf("what was invalidated comes as Prev: %+v", p)
			}
			time.Sleep(11 * time.Second)
			l.look(l.caller)
			if l.origin.lastPrev() == nil {
				t.Error("no Prev")
			}
		}
	})
}

type page struct{ Text string }

func TestNotModifiedRenewsTheLifeOfTheSameValue(t *testing.T) {
	for caller, name := range []string{"owner", "non-owner"} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 2, func(t *testing.T, w *town) {
				var loads atomic.Int64
				from := loader.Func[*page](func(_ context.Context, req loader.Request[*page]) (loader.Item[*page], error) {
					n := loads.Add(1)
					if req.Prev != nil && n > 1 {
						return loader.Item[*page]{NotModified: true, ETag: fmt.Sprint("e", n)}, nil
					}
					return loader.Item[*page]{Value: &page{"text"}, ETag: "e1", Version: 7, Tags: []string{"t"}}, nil
				})
				caches := open[*page](w, "c", from, mesh.Options{TTL: 10 * time.Second, Jitter: -1})
				key := w.keyOf("c", "m0")
				first, err := caches[0].Get(w.ctx, key)
				if err != nil {
					t.Fatal(err)
				}
				for n := 2; n < 5; n++ {
					time.Sleep(11 * time.Second)
					e, err := caches[caller].Lookup(w.ctx, key)
					if err != nil || e.Value.Text != "text" || e.Source != mesh.Loaded || e.Stale || e.Age > time.Second || e.TTL < 9*time.Second ||
						e.ETag != fmt.Sprint("e", n) || e.Version != 7 || !slices.Equal(e.Tags, []string{"t"}) {
						t.Errorf("got %+v, %v", e, err)
					}
					again, err := caches[0].Get(w.ctx, key)
					if err != nil || again != first {
						t.Errorf("the owner has decoded it anew: %p, %v", again, err)
					}
				}
				if s := caches[0].Stats(); s.NotModified != 3 || s.Loads != 4 {
					t.Errorf("%d not modified of %d loads", s.NotModified, s.Loads)
				}
				if err := caches[1].InvalidateTags(w.ctx, "t"); err != nil {
					t.Fatal(err)
				}
				if v, err := caches[0].Get(w.ctx, key); err != nil || v == first {
					t.Errorf("its tags were lost: %p, %v", v, err)
				}
			})
		})
	}
}

func TestNotModifiedWithoutPrevIsALoadError(t *testing.T) {
	fromBoth(t, mesh.Options{}, func(t *testing.T, l *lab) {
		l.origin.items(func(_ loader.Request[string], _ int, item *loader.Item[string]) { item.NotModified = true })
		var le *mesh.LoadError
		_, err := l.here().Get(l.ctx, l.key)
		if !errors.As(err, &le) || le.Key != l.key || le.Member != "m0" {
			t.Errorf("the error is %v", err)
		}
		l.origin.items(nil)
		if e := l.look(l.caller); e.Value != l.nth(2) {
			t.Errorf("got %q", e.Value)
		}
	})
}

func TestNotModifiedThatAnInvalidationOvertakesIsNotKept(t *testing.T) {
	fromBoth(t, mesh.Options{TTL: 10 * time.Second, StaleWhileRevalidate: time.Minute}, func(t *testing.T, l *lab) {
		l.origin.items(func(req loader.Request[string], n int, item *loader.Item[string]) {
			item.Tags = []string{"t"}
			if req.Prev != nil {
				item.NotModified, item.Tags = true, []string{"other"}
			}
		})
		l.look(l.caller)
		time.Sleep(11 * time.Second)
		l.origin.hold()
		l.look(l.caller)
		l.soon("the load behind it", func() bool { return l.origin.loadsOf(l.key) == 2 })
		wantErr(t, l.here().InvalidateTags(l.ctx, "t"), nil)
		l.origin.release()
		time.Sleep(time.Second)
		if e := l.look(l.caller); e.Value != l.nth(3) {
			t.Errorf("got %q", e.Value)
		}
	})
}

func TestAnOlderVersionNeverReplacesANewer(t *testing.T) {
	version := func(l *lab, v uint64) {
		l.origin.items(func(_ loader.Request[string], _ int, item *loader.Item[string]) {
			item.Version, item.Value, item.ETag = v, fmt.Sprint("v", v), fmt.Sprint("e", v)
		})
	}
	holds := func(t *testing.T, e mesh.Entry[string], v uint64) {
		t.Helper()
		if e.Version != v || e.Value != fmt.Sprint("v", v) || e.ETag != fmt.Sprint("e", v) {
			t.Errorf("got %q, version %d, ETag %s; want version %d", e.Value, e.Version, e.ETag, v)
		}
	}
	for name, f := range map[string]func(t *testing.T, l *lab){
		"a load after expiry": func(t *testing.T, l *lab) {
			version(l, 8)
			time.Sleep(11 * time.Second)
			e := l.look(l.caller)
			holds(t, e, 9)
			if e.Stale || e.TTL < 9*time.Second {
				t.Errorf("its life was not renewed: %v", e.TTL)
			}
			if n := l.caches[0].Stats().OlderVersions; n != 1 {
				t.Errorf("%d older versions counted", n)
			}
		},
		"Fresh": func(t *testing.T, l *lab) {
			version(l, 8)
			holds(t, l.look(l.caller, mesh.Fresh()), 9)
			version(l, 10)
			holds(t, l.look(l.caller, mesh.Fresh()), 10)
		},
		"no version": func(t *testing.T, l *lab) { // is any version
			l.origin.items(nil)
			if e := l.look(l.caller, mesh.Fresh()); e.Version != 0 || e.Value != l.nth(2) {
				t.Errorf("got %q", e.Value)
			}
		},
		"Set": func(t *testing.T, l *lab) {
			wantErr(t, l.here().Set(l.ctx, l.key, loader.Item[string]{Value: "v8", Version: 8, ETag: "e8"}), nil)
			holds(t, l.look(l.caller), 9)
			if s := l.here().Stats(); s.OlderVersions != 1 || s.Sets != 0 {
				t.Errorf("%d older versions and %d Sets are counted", s.OlderVersions, s.Sets)
			}
			wantErr(t, l.here().Set(l.ctx, l.key, loader.Item[string]{Value: "v10", Version: 10, ETag: "e10"}), nil)
			for i := range l.caches {
				holds(t, l.look(i), 10)
			}
		},
		"a load after Set": func(t *testing.T, l *lab) {
			wantErr(t, l.here().Set(l.ctx, l.key, loader.Item[string]{Value: "v12", Version: 12, ETag: "e12"}), nil)
			for i := range l.caches {
				holds(t, l.look(i, mesh.Fresh()), 12)
			}
		},
		"a replica": func(t *testing.T, l *lab) {
			for range 20 {
				holds(t, l.look(1), 9)
			}
			version(l, 8)
			for _, i := range []int{0, 1, 0, 1} {
				holds(t, l.look(i, mesh.Fresh()), 9)
				holds(t, l.look(1-i), 9)
			}
		},
		"a refused item does not bring its tags": func(t *testing.T, l *lab) {
			l.origin.items(func(_ loader.Request[string], _ int, item *loader.Item[string]) {
				item.Version, item.Tags = 8, []string{"t8"}
			})
			if e := l.look(l.caller, mesh.Fresh()); len(e.Tags) != 0 || e.Version != 9 {
				t.Errorf("got %+v", e)
			}
		},
		"after Invalidate": func(t *testing.T, l *lab) { // which forgets the version
			wantErr(t, l.here().Invalidate(l.ctx, l.key), nil)
			version(l, 8)
			for i := range l.caches {
				holds(t, l.look(i), 8)
			}
		},
		"hand-over and take-over": func(t *testing.T, l *lab) {
			version(l, 8)
			other := l.join(mesh.Config{ID: "new"}) // takes over what it comes to own
			c := openOn[string](l.town, other, "c", l.origin, mesh.Options{TTL: 10 * time.Second, Jitter: -1})
			l.settled("c", 3)
			for range 3 {
				e, err := c.Lookup(l.ctx, l.key)
				wantErr(t, err, nil)
				holds(t, e, 9)
			}
			wantErr(t, l.meshes[0].Leave(l.ctx), nil) // hands over to whoever comes next
			l.soon("m0 is gone", func() bool { return len(l.meshes[1].Members()) == 2 })
			for _, c := range []*mesh.Cache[string]{l.caches[1], c} {
				e, err := c.Lookup(l.ctx, l.key)
				wantErr(t, err, nil)
				holds(t, e, 9)
				e, err = c.Lookup(l.ctx, l.key, mesh.Fresh())
				wantErr(t, err, nil)
				holds(t, e, 9)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			fromBoth(t, mesh.Options{TTL: 10 * time.Second}, func(t *testing.T, l *lab) {
				version(l, 9)
				holds(t, l.look(l.caller), 9)
				f(t, l)
			})
		})
	}
}

func TestTheOriginsOfFilesAndOfHTTPAreAskedConditionally(t *testing.T) {
	var bodies, unmodified atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"v1"`)
		w.Header().Set("Cache-Control", "max-age=60")
		if r.Header.Get("If-None-Match") == `"v1"` {
			unmodified.Add(1)
			w.WriteHeader(http.StatusNotModified)
			return
		}
		bodies.Add(1)
		fmt.Fprint(w, "a body")
	}))
	defer server.Close()
	web, err := httporigin.New(server.URL+"/{key}", httporigin.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer web.Close()
	dir := t.TempDir()
	files, err := fileorigin.New(dir, fileorigin.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()

	w := newTown(t, testenv.NATS(t), 2)
	for name, from := range map[string]loader.Loader[[]byte]{"web": web, "files": files} {
		caches := open(w, name, from, mesh.Options{})
		key := w.keyOf(name, "m0")
		if err := os.WriteFile(filepath.Join(dir, key), []byte("a body"), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := caches[1].Get(w.ctx, key)
		want(t, got, err, "a body")
		held, _ := caches[0].Get(w.ctx, key)
		for _, c := range caches {
			e, err := c.Lookup(w.ctx, key, mesh.Fresh())
			if err != nil || !bytes.Equal(e.Value, held) || e.ETag == "" || e.Source != mesh.Loaded {
				t.Errorf("%s: got %+v, %v", name, e, err)
			}
		}
		if now, _ := caches[0].Get(w.ctx, key); &now[0] != &held[0] {
			t.Errorf("%s: the owner's bytes have moved", name)
		}
		if n := caches[0].Stats().NotModified; n != 2 {
			t.Errorf("%s: %d loads found it not modified", name, n)
		}
	}
	if bodies.Load() != 1 || unmodified.Load() != 2 {
		t.Errorf("the server sent %d bodies, and %d times none", bodies.Load(), unmodified.Load())
	}
}
