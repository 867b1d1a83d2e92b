package mesh_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/testenv"
)

// near reports whether a duration is d, or up to a millisecond short of it: some
// things are rounded down to microseconds.
func near(got, d time.Duration) bool { return got <= d && got > d-time.Millisecond }

func TestLookupTellsWhereAValueComesFrom(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		o := testenv.NewOrigin()
		caches := open[[]byte](w, "c", o, mesh.Options{Jitter: -1, TTL: time.Minute})
		key := w.keyOf("c", "m1")
		const delay = 1900 * time.Millisecond // no multiple of the time after which a question is repeated
		o.SetDelay(delay)
		check := func(c *mesh.Cache[[]byte], source mesh.Source, age time.Duration, opts ...mesh.ReadOption) {
			t.Helper()
			e, err := c.Lookup(w.ctx, key, opts...)
			if err != nil {
				t.Fatal(err)
			}
			if e.Key != key || e.Source != source || e.Owner != "m1" || e.Stale || !near(-e.Age, -age+time.Millisecond-1) && e.Age != age || !near(e.TTL, time.Minute-age) {
				t.Errorf("%v of %v, age %v, TTL %v, stale %v; want %v, age %v", e.Source, e.Owner, e.Age, e.TTL, e.Stale, source, age)
			}
		}
		check(caches[0], mesh.Loaded, delay) // its life began with its load
		check(caches[1], mesh.Local, delay)
		time.Sleep(7*time.Second - delay)
		check(caches[0], mesh.Owner, 7*time.Second)
		check(caches[0], mesh.Owner, 7*time.Second, mesh.CachedOnly())
		check(caches[1], mesh.Local, 7*time.Second, mesh.CachedOnly())
		for range 20 { // hot: it is worth a replica
			_, _ = caches[0].Get(w.ctx, key)
		}
		check(caches[0], mesh.Replica, 7*time.Second)
		time.Sleep(time.Second)
		check(caches[0], mesh.Replica, 8*time.Second)
		check(caches[0], mesh.Loaded, delay, mesh.Fresh())
		if err := caches[0].Invalidate(w.ctx, key); err != nil {
			t.Fatal(err)
		}
		check(caches[1], mesh.Loaded, delay)
		if n := o.Loads(); n != 3 {
			t.Errorf("%d loads", n)
		}
	})
}

func TestAValueLivesItsTTLFromTheBeginOfItsLoad(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		o := testenv.NewOrigin()
		o.SetDelay(2 * time.Second)
		caches := open[[]byte](w, "c", o, mesh.Options{TTL: 10 * time.Second, Jitter: -1})
		key := w.keyOf("c", "m1")
		got, err := caches[0].Get(w.ctx, key)
		want(t, got, err, key+"#1")
		time.Sleep(7900 * time.Millisecond) // 9.9 s of age
		for _, c := range caches {
			got, err = c.Get(w.ctx, key)
			want(t, got, err, key+"#1")
		}
		time.Sleep(101 * time.Millisecond)
		got, err = caches[0].Get(w.ctx, key)
		want(t, got, err, key+"#2")
	})
}

func TestJitterTakesUpToItsShareOffTheTTL(t *testing.T) {
	bubble(t, 1, func(t *testing.T, w *town) {
		for jitter, least := range map[float64]time.Duration{0: 90 * time.Second, 0.5: 50 * time.Second, 1: 0, -1: 100 * time.Second} {
			name := map[float64]string{0: "default", 0.5: "half", 1: "all", -1: "none"}[jitter]
			c := openOn[[]byte](w, w.meshes[0], name, testenv.NewOrigin(), mesh.Options{TTL: 100 * time.Second, Jitter: jitter})
			lowest, highest := 200*time.Second, time.Duration(0)
			for i := range 400 {
				e, err := c.Lookup(w.ctx, string(rune('A'+i)))
				if err != nil {
					t.Fatal(err)
				}
				lowest, highest = min(lowest, e.TTL), max(highest, e.TTL)
			}
			span := 100*time.Second - least
			if lowest < least-time.Millisecond || highest > 100*time.Second || lowest > least+span/20 || highest < 100*time.Second-span/20-time.Millisecond {
				t.Errorf("%s: TTLs from %v to %v", name, lowest, highest)
			}
		}
	})
}

func TestAnItemsOwnTTLCounts(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		ttls := map[string]time.Duration{}
		n := map[string]int{}
		var mu sync.Mutex
		caches := open(w, "c", loader.Func[string](func(_ context.Context, req loader.Request[string]) (loader.Item[string], error) {
			mu.Lock()
			defer mu.Unlock()
			n[req.Key]++
			item := loader.Item[string]{Value: "v", TTL: ttls[req.Key]}
			if item.TTL == 1 { // stands for NoStore here
				item = loader.Item[string]{Value: "v", NoStore: true}
			}
			return item, nil
		}), mesh.Options{TTL: 10 * time.Second, Jitter: -1})
		keys := w.keysOf("c", "m1", 5)
		long, short, never, expired, unkept := keys[0], keys[1], keys[2], keys[3], keys[4]
		ttls[long], ttls[short], ttls[never], ttls[expired], ttls[unkept] = time.Minute, time.Second, mesh.NoExpiry, -1, 1
		read := func() {
			t.Helper()
			for _, key := range keys {
				for _, c := range caches {
					got, err := c.Get(w.ctx, key)
					want(t, got, err, "v")
				}
			}
		}
		count := func(key string, want int) {
			t.Helper()
			if n[key] != want {
				t.Errorf("%d loads of %s, want %d", n[key], key, want)
			}
		}
		read()
		count(unkept, 2)
		count(expired, 2)
		e, err := caches[0].Lookup(w.ctx, unkept)
		if err != nil || e.Source != mesh.Bypass || e.Stale {
			t.Errorf("%+v, %v", e, err)
		}
		if e, err = caches[0].Lookup(w.ctx, never); err != nil || e.TTL != mesh.NoExpiry {
			t.Errorf("%+v, %v", e, err)
		}
		time.Sleep(1100 * time.Millisecond)
		read()
		count(short, 2)
		time.Sleep(30 * time.Second)
		read()
		count(short, 3)
		count(long, 1)
		count(never, 1)
		time.Sleep(40 * time.Second)
		read()
		count(long, 2)
		count(never, 1)
	})
}

func TestHotValuesAreReplicatedForAWhile(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		o := testenv.NewOrigin()
		caches := open[[]byte](w, "c", o, mesh.Options{ReplicaTTL: 3 * time.Second})
		key := w.keyOf("c", "m1")
		for range 20 { // one read a second is not hot
			got, err := caches[0].Get(w.ctx, key)
			want(t, got, err, key+"#1")
			time.Sleep(time.Second)
		}
		if st := caches[0].Stats(); st.Replicas != 0 || st.Fetches != 20 {
			t.Fatalf("a value that is not hot: %+v", st)
		}
		read := func() {
			got, err := caches[0].Get(w.ctx, key)
			want(t, got, err, key+"#1")
			time.Sleep(10 * time.Millisecond)
		}
		for range 100 {
			read()
		}
		st := caches[0].Stats()
		if st.Replicas != 1 || st.ReplicaEntries != 1 || st.ReplicaBytes == 0 || st.ReplicaHits < 80 {
			t.Fatalf("a hot value has no replica: %+v", st)
		}
		// Under way all the time, one question in ReplicaTTL keeps it.
		for range 1000 {
			read()
		}
		if now := caches[0].Stats(); now.Fetches-st.Fetches > 6 || now.Replicas-st.Replicas < 2 {
			t.Errorf("%d fetches and %d replicas in 10 s", now.Fetches-st.Fetches, now.Replicas-st.Replicas)
		}
		e, err := caches[0].Lookup(w.ctx, key)
		if err != nil || e.Source != mesh.Replica || e.Owner != "m1" {
			t.Errorf("%+v, %v", e, err)
		}
		time.Sleep(3 * time.Second)
		if e, err = caches[0].Lookup(w.ctx, key); err != nil || e.Source != mesh.Owner {
			t.Errorf("after ReplicaTTL: %+v, %v", e, err)
		}
		time.Sleep(time.Minute)
		if e, err = caches[0].Lookup(w.ctx, key); err != nil || e.Source != mesh.Owner {
			t.Errorf("when it has cooled down: %+v, %v", e, err)
		}
		if e, err = caches[0].Lookup(w.ctx, key); err != nil || e.Source != mesh.Owner {
			t.Errorf("when it has cooled down, again: %+v, %v", e, err)
		}
	})
}

func TestNegativeReplicaBytesKeepNoReplicas(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		caches := open[[]byte](w, "c", testenv.NewOrigin(), mesh.Options{ReplicaBytes: -1})
		key := w.keyOf("c", "m1")
		for range 100 {
			got, err := caches[0].Get(w.ctx, key)
			want(t, got, err, key+"#1")
		}
		if st := caches[0].Stats(); st.ReplicaHits != 0 || st.Replicas != 0 || st.ReplicaEntries != 0 {
			t.Errorf("%+v", st)
		}
	})
}

func TestFreshLoadsAgainAndReplacesEverywhere(t *testing.T) {
	bubble(t, 3, func(t *testing.T, w *town) {
		o := testenv.NewOrigin()
		caches := open[[]byte](w, "c", o, mesh.Options{})
		for i, owner := range []string{"m0", "m1"} {
			key := w.keyOf("c", owner)
			for _, c := range caches {
				got, err := c.Get(w.ctx, key)
				want(t, got, err, key+"#1")
			}
			got, err := caches[i].Get(w.ctx, key, mesh.Fresh())
			want(t, got, err, key+"#2")
			got, err = caches[1-i].Get(w.ctx, key, mesh.Fresh())
			want(t, got, err, key+"#3")
			for _, c := range caches {
				got, err := c.Get(w.ctx, key)
				want(t, got, err, key+"#3")
			}
		}
	})
}

func TestFreshJoinsNoLoadThatBeganBefore(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		o := testenv.NewOrigin()
		caches := open[[]byte](w, "c", o, mesh.Options{})
		for i, c := range caches {
			key := w.keysOf("c", "m1", 2)[i]
			o.Hold()
			first := get(w.ctx, c, key)
			w.soon("the load has begun", func() bool { return o.LoadsOf(key) == 1 })
			time.Sleep(time.Second)
			fresh := get(w.ctx, c, key, mesh.Fresh())
			w.soon("a second load has begun", func() bool { return o.LoadsOf(key) == 2 })
			o.Release()
			a := <-first
			want(t, a.value, a.err, key+"#1")
			a = <-fresh
			want(t, a.value, a.err, key+"#2")
			got, err := c.Get(w.ctx, key)
			want(t, got, err, key+"#2")
		}
	})
}

func TestMaxAgeTakesWhatIsYoungEnough(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		o := testenv.NewOrigin()
		caches := open[[]byte](w, "c", o, mesh.Options{})
		key := w.keyOf("c", "m1")
		got, err := caches[0].Get(w.ctx, key)
		want(t, got, err, key+"#1")
		time.Sleep(10 * time.Second)
		for _, c := range caches {
			got, err = c.Get(w.ctx, key, mesh.MaxAge(11*time.Second))
			want(t, got, err, key+"#1")
			_, err = c.Get(w.ctx, key, mesh.MaxAge(9*time.Second), mesh.CachedOnly())
			wantErr(t, err, mesh.ErrNotCached)
		}
		for i, c := range caches {
			time.Sleep(10 * time.Second)
			got, err = c.Get(w.ctx, key, mesh.MaxAge(9*time.Second))
			want(t, got, err, key+"#"+string(rune('2'+i)))
		}
		got, err = caches[0].Get(w.ctx, key, mesh.MaxAge(0)) // no older than now
		want(t, got, err, key+"#4")
		got, err = caches[0].Get(w.ctx, key, mesh.MaxAge(time.Hour), mesh.MaxAge(-1))
		want(t, got, err, key+"#5")
	})
}

func TestMaxAgeOfManyCallersCostsOneLoad(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		o := testenv.NewOrigin()
		o.SetDelay(100 * time.Millisecond)
		caches := open[[]byte](w, "c", o, mesh.Options{})
		key := w.keyOf("c", "m1")
		for round := range 2 {
			var wg sync.WaitGroup
			for i := range 200 {
				wg.Go(func() {
					time.Sleep(time.Duration(i) * 100 * time.Microsecond)
					got, err := caches[i%2].Get(w.ctx, key, mesh.MaxAge(10*time.Second))
					want(t, got, err, key+"#"+string(rune('1'+round)))
				})
			}
			wg.Wait()
			if n := o.Loads(); n != round+1 {
				t.Errorf("%d loads", n)
			}
			time.Sleep(time.Minute)
		}
	})
}

func TestCachedOnlyLoadsNothing(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		o := testenv.NewOrigin()
		caches := open[[]byte](w, "c", o, mesh.Options{})
		key := w.keyOf("c", "m1")
		for _, c := range caches {
			_, err := c.Get(w.ctx, key, mesh.CachedOnly())
			wantErr(t, err, mesh.ErrNotCached)
			_, err = c.Get(w.ctx, key, mesh.CachedOnly(), mesh.Fresh())
			wantErr(t, err, mesh.ErrNotCached)
		}
		o.Hold()
		waiting := get(w.ctx, caches[1], key)
		w.soon("the load has begun", func() bool { return o.Waiting() == 1 })
		for _, c := range caches {
			_, err := c.Get(w.ctx, key, mesh.CachedOnly())
			wantErr(t, err, mesh.ErrNotCached)
		}
		o.Release()
		<-waiting
		for _, c := range caches {
			got, err := c.Get(w.ctx, key, mesh.CachedOnly())
			want(t, got, err, key+"#1")
		}
		if o.Loads() != 1 {
			t.Errorf("%d loads", o.Loads())
		}
	})
}

func TestReadsEndWithTheirContext(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		o := testenv.NewOrigin()
		o.Hold()
		t.Cleanup(o.Release)
		caches := open[[]byte](w, "c", o, mesh.Options{})
		done, cancel := context.WithCancelCause(w.ctx)
		why := errors.New("shift is over")
		cancel(why)
		for _, owner := range []string{"m0", "m1"} {
			_, err := caches[0].Get(done, w.keyOf("c", owner))
			wantErr(t, err, why)
		}
	})
}
