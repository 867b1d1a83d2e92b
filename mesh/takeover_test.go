package mesh_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
)

// joined gives the cache of a member that joins m0, and keys that it has come to own.
func (l *lab) joined(n int, opts mesh.Options) (*mesh.Cache[string], []string) {
	l.t.Helper()
	c := openOn(l.town, l.join(mesh.Config{}), "c", loader.Loader[string](l.origin), opts)
	l.settled("c", 2)
	return c, l.keysOf("c", "m1", n)
}

func TestWhatTheOriginLetsNobodyKeepIsTakenOverForThoseWhoWaitAlone(t *testing.T) {
	inLab(t, 1, mesh.Options{}, func(t *testing.T, l *lab) {
		l.origin.items(func(_ loader.Request[string], _ int, item *loader.Item[string]) { item.NoStore = true })
		l.origin.slow(3 * time.Second)
		var got []<-chan answer[string]
		for i := range 20 {
			got = append(got, get(t.Context(), l.caches[0], fmt.Sprint("key", i)))
		}
		c, keys := l.joined(5, mesh.Options{Jitter: -1})
		taken := 0
		for _, key := range keys {
			if l.origin.loadsOf(key) == 1 { // m0 loads it: its load is taken over
				taken++
			}
			for range 2 {
				e, err := c.Lookup(t.Context(), key)
				if err != nil || e.Source == mesh.Local {
					t.Errorf("%s: from %v, %v", key, e.Source, err)
				}
			}
		}
		if taken == 0 {
			t.Error("no load was under way: this shows nothing")
		}
		for _, g := range got {
			<-g
		}
	})
}

func TestWhatHasNoLifeLeftIsNotTakenOver(t *testing.T) {
	for name, c := range map[string]struct {
		opts  mesh.Options
		first func(l *lab)
		after func(l *lab)
	}{
		"an absence": {
			mesh.Options{TTL: time.Minute, NegativeTTL: time.Second, StaleIfError: time.Hour, Jitter: -1},
			func(l *lab) { l.origin.fail(loader.ErrNotFound) },
			func(l *lab) { l.origin.fail(nil) },
		},
		"an item with a TTL below 0": {
			mesh.Options{TTL: time.Minute, StaleWhileRevalidate: time.Hour, Jitter: -1},
			func(l *lab) {
				l.origin.items(func(_ loader.Request[string], _ int, item *loader.Item[string]) { item.TTL = -1 })
			},
			func(*lab) {},
		},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, 1, c.opts, func(t *testing.T, l *lab) {
				c.first(l)
				for i := range 20 {
					if _, err := l.caches[0].Get(t.Context(), fmt.Sprint("key", i)); err != nil && !errors.Is(err, mesh.ErrNotFound) {
						t.Fatal(err)
					}
				}
				c.after(l)
				time.Sleep(30 * time.Second)
				cache, keys := l.joined(3, c.opts)
				for _, key := range keys {
					if e, err := cache.Lookup(t.Context(), key); err != nil || e.Source != mesh.Loaded {
						t.Errorf("%s: %q from %v, %v", key, e.Value, e.Source, err)
					}
				}
			})
		})
	}
}
