package mesh_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
)

// A member that owned a stale value until another joined leaves its renewal to that one.
func TestANewOwnerTakesOverWhatIsStaleAndRenewsIt(t *testing.T) {
	for name, opts := range map[string]mesh.Options{
		"stale":         {TTL: 10 * time.Second, StaleWhileRevalidate: time.Minute, Jitter: -1},
		"refresh ahead": {TTL: 20 * time.Second, RefreshAhead: 0.5, Jitter: -1},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, 2, opts, func(t *testing.T, l *lab) {
				keys := manyKeys(60)
				for _, key := range keys {
					if _, err := l.caches[0].Get(l.ctx, key); err != nil {
						t.Fatal(err)
					}
				}
				second := newSource()
				second.items(func(req loader.Request[string], _ int, item *loader.Item[string]) { item.Value = "new " + req.Key })
				other := l.join(mesh.Config{ID: "new"})
				c := openOn[string](l.town, other, "c", second, opts)
				l.settled("c", 3)
				time.Sleep(11 * time.Second)
				loads := l.origin.all()
				taken := 0
				for _, key := range keys {
					if other.Owner("c", key) != "new" {
						continue
					}
					taken++
					e, err := l.caches[0].Lookup(l.ctx, key)
					if err != nil || e.Value != key+"#1" || e.Stale != (name == "stale") || e.Source != mesh.Owner {
						t.Errorf("%s: %q from %v, stale %v, %v", key, e.Value, e.Source, e.Stale, err)
					}
					time.Sleep(time.Millisecond)
					for _, c := range []*mesh.Cache[string]{l.caches[0], l.caches[1], c} {
						if got, err := c.Get(l.ctx, key); err != nil || got != "new "+key {
							t.Errorf("after its renewal: %q, %v", got, err)
						}
					}
					if n := second.loadsOf(key); n != 1 {
						t.Errorf("%s was loaded %d times by its new owner", key, n)
					}
				}
				if n := l.origin.all(); n != loads {
					t.Errorf("%d loads by members that own the keys no more", n-loads)
				}
				if taken == 0 {
					t.Error("the new member owns nothing")
				}
			})
		})
	}
}

func TestALeaversHeirGoesOnWithWhatIsStale(t *testing.T) {
	inLab(t, 3, mesh.Options{TTL: 10 * time.Second, StaleIfError: 10 * time.Minute}, func(t *testing.T, l *lab) {
		l.origin.items(func(_ loader.Request[string], _ int, item *loader.Item[string]) { item.ETag = "e" })
		l.look(1)
		l.origin.fail(errDisk)
		time.Sleep(11 * time.Second)
		wantErr(t, l.meshes[0].Leave(l.ctx), nil)
		l.soon("m0 is gone", func() bool { return len(l.meshes[1].Members()) == 2 && len(l.meshes[2].Members()) == 2 })
		for _, i := range []int{1, 2} {
			e := l.look(i)
			if e.Value != l.nth(1) || !e.Stale || e.ETag != "e" || e.Age < 11*time.Second {
				t.Errorf("m%d got %+v", i, e)
			}
		}
		if p := l.origin.lastPrev(); p == nil || p.ETag != "e" {
			t.Errorf("the heir's load has as Prev %+v", p)
		}
		l.origin.fail(nil)
		time.Sleep(6 * time.Second)
		for _, i := range []int{1, 2} {
			if e := l.look(i); e.Stale || e.Value == l.nth(1) {
				t.Errorf("m%d got %+v", i, e)
			}
		}
	})
}

func TestAnIsolatedMemberAnswersNothingStale(t *testing.T) {
	inLabOnLinks(t, mesh.Options{MaxIsolation: 5 * time.Second, TTL: 8 * time.Second, StaleIfError: time.Hour, SoftTimeout: 100 * time.Millisecond}, func(t *testing.T, r *rig, m *rigMember, key string) {
		m.link.Cut()
		time.Sleep(10 * time.Second)
		r.origin.Fail(errDisk)
		for range 3 {
			if v, err := m.cache.Get(r.within(time.Minute), key); err == nil {
				t.Errorf("got %q, and it has been cut off for long", v)
			}
			got, err := m.cache.GetMany(r.within(time.Minute), []string{key})
			if err == nil {
				t.Errorf("got %v", got)
			}
		}
		m.link.Heal()
		r.agree(20*time.Second, r.all...)
		e, err := m.cache.Lookup(r.within(time.Minute), key)
		if err != nil || !e.Stale || string(e.Value) != fmt.Sprint(key, "#1") {
			t.Errorf("after reconnecting: %q, stale %v, %v", e.Value, e.Stale, err)
		}
	})
}

// inLabOnLinks runs f with two members on links of their own, and a key of m that has been loaded.
func inLabOnLinks(t *testing.T, opts mesh.Options, f func(t *testing.T, r *rig, m *rigMember, key string)) {
	t.Helper()
	virtual(t, 0, func(t *testing.T, r *rig) {
		opts.Jitter = -1
		r.opts = opts
		r.grow(2)
		_, owned := r.keys(50, "m1")
		r.fill(owned[:1], r.all[1])
		f(t, r, r.all[1], owned[0])
	})
}

// A younger owner asks its elder before each load while it is young: the wait for that counts like the load's.
func TestSoftTimeoutHoldsForAYoungOwner(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		from := newSource()
		opts := mesh.Options{TTL: 10 * time.Second, StaleIfError: time.Minute, SoftTimeout: 100 * time.Millisecond, Jitter: -1}
		caches := []*mesh.Cache[string]{openOn[string](w, w.meshes[0], "c", from, opts)}
		w.soon("the elder owns all", func() bool { return w.meshes[1].Owner("c", "k") == "m0" })
		time.Sleep(3 * time.Second)
		caches = append(caches, openOn[string](w, w.meshes[1], "c", from, opts))
		w.settled("c", 2)
		key := w.keyOf("c", "m1")
		got, err := caches[0].Get(w.ctx, key)
		want(t, got, err, key+"#1")
		time.Sleep(12 * time.Second)
		from.slow(900 * time.Millisecond)
		for _, c := range caches {
			began := time.Now()
			e, err := c.Lookup(w.ctx, key)
			if err != nil || e.Value != key+"#1" || !e.Stale {
				t.Errorf("got %q, stale %v, %v", e.Value, e.Stale, err)
			}
			between(t, time.Since(began), 90*time.Millisecond, 110*time.Millisecond)
		}
		time.Sleep(time.Second)
		for _, c := range caches {
			got, err := c.Get(w.ctx, key)
			want(t, got, err, key+"#2")
		}
		if n := from.loadsOf(key); n != 2 {
			t.Errorf("%d loads", n)
		}
	})
}
