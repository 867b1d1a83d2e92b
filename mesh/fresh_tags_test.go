package mesh_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
)

// tagged gives each item a tag of its key's last digit, and one that all carry.
func tagged(req loader.Request[string], _ int, item *loader.Item[string]) {
	item.Tags = []string{"all", "digit" + req.Key[len(req.Key)-1:]}
}

func TestInvalidateTagsDropsOnEveryMemberWhatCarriesThem(t *testing.T) {
	inLab(t, 3, mesh.Options{}, func(t *testing.T, l *lab) {
		l.origin.items(tagged)
		keys := manyKeys(60)
		values := func(c *mesh.Cache[string]) map[string]string {
			t.Helper()
			got, err := c.GetMany(l.ctx, keys)
			if err != nil || len(got) != len(keys) {
				t.Fatalf("%d values, %v", len(got), err)
			}
			return got
		}
		for _, c := range l.caches { // often enough for replicas
			for range 12 {
				values(c)
			}
		}
		if n := l.sum(func(s mesh.CacheStats) uint64 { return s.ReplicaHits }); n == 0 {
			t.Error("there are no replicas")
		}
		for round, step := range []struct {
			drop  func(c *mesh.Cache[string]) error
			loads func(key string) int // after it
		}{
			{func(c *mesh.Cache[string]) error { return c.InvalidateTags(l.ctx, "digit3", "digit7") }, func(key string) int {
				if strings.HasSuffix(key, "3") || strings.HasSuffix(key, "7") {
					return 2
				}
				return 1
			}},
			{func(c *mesh.Cache[string]) error { return c.InvalidateTags(l.ctx, "nobody's", "all", "all") }, nil},
			{func(c *mesh.Cache[string]) error { return c.Clear(l.ctx) }, nil},
			{func(c *mesh.Cache[string]) error { return c.InvalidateTags(l.ctx) }, func(string) int { return 0 }},
		} {
			before := map[string]int{}
			for _, key := range keys {
				before[key] = l.origin.loadsOf(key)
			}
			if err := step.drop(l.caches[round%3]); err != nil {
				t.Fatal(err)
			}
			for i := range l.caches {
				values(l.caches[(i+round)%3])
			}
			for _, key := range keys {
				want := 1
				if step.loads != nil && round == 0 {
					want = step.loads(key) - 1
				} else if step.loads != nil {
					want = step.loads(key)
				}
				if n := l.origin.loadsOf(key) - before[key]; n != want {
					t.Errorf("round %d: %s was loaded %d times more, want %d", round, key, n, want)
				}
			}
		}
	})
}

func TestALoadUnderWayWhoseTagsAreDroppedIsNotKept(t *testing.T) {
	for name, drop := range map[string]func(l *lab) error{
		"one of its tags": func(l *lab) error { return l.caches[1].InvalidateTags(l.ctx, "x", "all") },
		"everything":      func(l *lab) error { return l.caches[1].Clear(l.ctx) },
		"another tag":     func(l *lab) error { return l.caches[1].InvalidateTags(l.ctx, "x") },
	} {
		t.Run(name, func(t *testing.T) {
			fromBoth(t, mesh.Options{}, func(t *testing.T, l *lab) {
				l.origin.items(tagged)
				l.origin.hold()
				first := get(l.ctx, l.here(), l.key)
				l.soon("the load has begun", func() bool { return l.origin.loadsOf(l.key) == 1 })
				wantErr(t, drop(l), nil)
				l.origin.release()
				got := <-first
				want(t, got.value, got.err, l.nth(1)) // who waited is answered
				next := l.nth(2)
				if name == "another tag" {
					next = l.nth(1)
				}
				for i := range l.caches {
					if e := l.look(i); e.Value != next || !slices.Contains(e.Tags, "all") {
						t.Errorf("m%d got %q with tags %v, want %q", i, e.Value, e.Tags, next)
					}
				}
			})
		})
	}
}

func TestTagsTravelWithReplicasTakeOversHandOversAndSets(t *testing.T) {
	inLab(t, 2, mesh.Options{}, func(t *testing.T, l *lab) {
		l.origin.items(tagged)
		drop := func(c *mesh.Cache[string]) {
			t.Helper()
			if err := c.InvalidateTags(l.ctx, "all"); err != nil {
				t.Fatal(err)
			}
		}
		gone := func(of string, c *mesh.Cache[string], value string) {
			t.Helper()
			e, err := c.Lookup(l.ctx, l.key)
			if err != nil || e.Value != value || !slices.Contains(e.Tags, "all") {
				t.Errorf("after the drop of %s: %q, %v, tags %v; want %q", of, e.Value, err, e.Tags, value)
			}
		}
		for range 20 {
			l.look(1)
		}
		if e := l.look(1); e.Source != mesh.Replica || !slices.Contains(e.Tags, "all") {
			t.Errorf("from %v with tags %v", e.Source, e.Tags)
		}
		drop(l.caches[0])
		gone("a replica", l.caches[1], l.nth(2))

		wantErr(t, l.caches[1].Set(l.ctx, l.key, loader.Item[string]{Value: "set", Tags: []string{"all"}}), nil)
		gone("nothing", l.caches[0], "set")
		drop(l.caches[1])
		gone("a set value", l.caches[0], l.nth(3))

		other := l.join(mesh.Config{ID: "new"})
		c := openOn[string](l.town, other, "c", l.origin, mesh.Options{Jitter: -1})
		l.settled("c", 3)
		for i := 0; other.Owner("c", l.key) != "new"; i++ { // one that the new member owns, and m0 had
			l.key = fmt.Sprint("taken", i)
		}
		wantErr(t, l.caches[0].Set(l.ctx, l.key, loader.Item[string]{Value: "taken", Tags: []string{"all"}}), nil)
		gone("nothing", c, "taken")
		drop(l.caches[0])
		gone("a value that was taken over", c, l.nth(1))

		wantErr(t, other.Leave(l.ctx), nil)
		l.soon("it is gone", func() bool { return len(l.meshes[0].Members()) == 2 })
		gone("nothing", l.caches[0], l.nth(1))
		drop(l.caches[1])
		gone("a value that was handed over", l.caches[0], l.nth(2))
	})
}

func TestTagsAndClearUnderASwallowedLinkSayWhoHasNotConfirmed(t *testing.T) {
	for name, drop := range map[string]func(ctx context.Context, c *mesh.Cache[[]byte]) error{
		"tags":  func(ctx context.Context, c *mesh.Cache[[]byte]) error { return c.InvalidateTags(ctx, "t") },
		"clear": func(ctx context.Context, c *mesh.Cache[[]byte]) error { return c.Clear(ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, 0, func(t *testing.T, r *rig) {
				r.grow(3)
				key := "k"
				item := loader.Item[[]byte]{Value: []byte("set"), Tags: []string{"t"}}
				wantErr(t, r.all[0].cache.Set(r.within(10*time.Second), key, item), nil)
				r.readAll([]string{key}, r.all...)
				if r.origin.Loads() != 0 {
					t.Fatal("it was loaded")
				}
				r.all[1].link.Swallow()
				err := drop(r.within(300*time.Millisecond), r.all[0].cache)
				var pe *mesh.PartialError
				if !errors.As(err, &pe) || !slices.Equal(pe.Members, []string{"m1"}) || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("the error is %v", err)
				}
				for _, m := range []*rigMember{r.all[0], r.all[2]} {
					got, err := m.cache.Get(r.within(10*time.Second), key)
					want(t, got, err, key+"#1")
				}
				r.all[1].link.Heal()
				r.agree(20*time.Second, r.all...)
				got, err := r.all[1].cache.Get(r.within(10*time.Second), key)
				if err != nil || string(got) == "set" {
					t.Errorf("what was swallowed never came: %q, %v", got, err)
				}
			})
		})
	}
}

func TestMaxIsolationBypassesMemoryWhileCutOff(t *testing.T) {
	virtual(t, 0, func(t *testing.T, r *rig) {
		r.opts = mesh.Options{MaxIsolation: 5 * time.Second, TTL: 10 * time.Minute}
		r.grow(2)
		_, owned := r.keys(50, "m1")
		_, others := r.keys(50, "m0")
		m1 := r.all[1]
		keys := []string{owned[0], others[0]}
		r.fill(keys, r.all[0])
		look := func(key string) mesh.Entry[[]byte] {
			t.Helper()
			e, err := m1.cache.Lookup(r.within(20*time.Second), key)
			if err != nil {
				t.Errorf("%s: %v", key, err)
			}
			return e
		}
		m1.link.Cut()
		time.Sleep(4 * time.Second)
		if e := look(owned[0]); e.Source != mesh.Local || string(e.Value) != owned[0]+"#1" {
			t.Errorf("before that time: %q from %v", e.Value, e.Source)
		}
		time.Sleep(4 * time.Second)
		for n := 2; n < 5; n++ { // every read loads, and keeps nothing for the next
			for _, key := range keys {
				before := r.origin.LoadsOf(key)
				e := look(key)
				if e.Source != mesh.Bypass || e.Stale || r.origin.LoadsOf(key) != before+1 {
					t.Errorf("%s is %q from %v, stale %v, after %d loads", key, e.Value, e.Source, e.Stale, r.origin.LoadsOf(key)-before)
				}
			}
			got, err := m1.cache.GetMany(r.within(20*time.Second), keys)
			if err != nil || len(got) != 2 {
				t.Errorf("%v, %v", got, err)
			}
		}
		if _, err := m1.cache.Get(r.within(20*time.Second), owned[0], mesh.CachedOnly()); !errors.Is(err, mesh.ErrNotCached) {
			t.Errorf("CachedOnly: %v", err)
		}
		r.origin.SetDelay(100 * time.Millisecond)
		before := r.origin.LoadsOf(owned[0])
		var waits []<-chan answer[[]byte]
		for range 50 {
			waits = append(waits, get(r.within(20*time.Second), m1.cache, owned[0]))
		}
		for _, w := range waits {
			if got := <-w; got.err != nil {
				t.Error(got.err)
			}
		}
		if n := r.origin.LoadsOf(owned[0]) - before; n != 1 {
			t.Errorf("%d loads for 50 reads at once", n)
		}
		m1.link.Heal()
		r.agree(20*time.Second, r.all...)
		look(owned[0])
		loads := r.origin.LoadsOf(owned[0])
		if e := look(owned[0]); e.Source != mesh.Local || r.origin.LoadsOf(owned[0]) != loads {
			t.Errorf("after reconnecting: from %v", e.Source)
		}
	})
}
