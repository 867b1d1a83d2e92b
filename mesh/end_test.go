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

	"github.com/nats-io/nats.go"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/testenv"
)

// closedEverywhere checks that every call on the cache is ErrClosed, at once.
func closedEverywhere(t *testing.T, c *mesh.Cache[[]byte], key string) {
	t.Helper()
	began := time.Now()
	ctx := context.Background()
	_, err := c.Get(ctx, key)
	wantErr(t, err, mesh.ErrClosed)
	_, err = c.Lookup(ctx, key)
	wantErr(t, err, mesh.ErrClosed)
	_, err = c.GetMany(ctx, []string{key})
	wantErr(t, err, mesh.ErrClosed)
	wantErr(t, c.Set(ctx, key, loader.Item[[]byte]{}), mesh.ErrClosed)
	wantErr(t, c.Invalidate(ctx, key), mesh.ErrClosed)
	wantErr(t, c.Clear(ctx), mesh.ErrClosed)
	_ = c.Stats()
	if err := c.Close(); err != nil {
		t.Errorf("Close again: %v", err)
	}
	if d := time.Since(began); d > 100*time.Millisecond {
		t.Errorf("that took %v", d)
	}
}

func TestWhoWaitsForALoadIsToldThatTheCacheIsClosed(t *testing.T) {
	virtual(t, 2, func(t *testing.T, r *rig) {
		_, owned := r.keys(60, "m1")
		key := owned[0]
		r.origin.Hold()
		here := get(r.within(20*time.Second), r.all[1].cache, key)
		there := get(r.within(20*time.Second), r.all[0].cache, key)
		testenv.Eventually(t, time.Second, "the owner loads", func() bool { return r.origin.LoadsOf(key) == 1 })
		time.Sleep(100 * time.Millisecond)
		began := time.Now()
		if err := r.all[1].cache.Close(); err != nil {
			t.Fatal(err)
		}
		if a := <-here; !errors.Is(a.err, mesh.ErrClosed) || time.Since(began) > 100*time.Millisecond {
			t.Errorf("%q, %v after %v", a.value, a.err, time.Since(began))
		}
		testenv.Eventually(t, time.Second, "the load is cancelled, and who asked from elsewhere loads", func() bool {
			return r.origin.LoadsOf(key) == 2 && r.origin.Waiting() == 1
		})
		r.origin.Release()
		if a := <-there; a.err != nil || string(a.value) != key+"#2" {
			t.Errorf("%q, %v", a.value, a.err)
		}
	})
}

func TestNoContextIsAnError(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		var none context.Context
		caches := open[[]byte](w, "c", testenv.NewOrigin(), mesh.Options{})
		key := w.keyOf("c", "m1")
		_, byGet := caches[0].Get(none, key)
		_, byMany := caches[0].GetMany(none, []string{key})
		_, byJoin := mesh.Join(none, w.conns[0], mesh.Config{})
		for what, err := range map[string]error{
			"Get": byGet, "GetMany": byMany, "Join": byJoin,
			"Set":        caches[0].Set(none, key, loader.Item[[]byte]{}),
			"Invalidate": caches[0].Invalidate(none, key),
			"Clear":      caches[0].Clear(none),
			"Leave":      w.meshes[0].Leave(none),
		} {
			if err == nil || !strings.Contains(err.Error(), "the context is nil") {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}

func TestACacheIsClosedOnOneMember(t *testing.T) {
	bubble(t, 3, func(t *testing.T, w *town) {
		o := testenv.NewOrigin()
		caches := open[[]byte](w, "c", o, mesh.Options{})
		others := open[[]byte](w, "other", o, mesh.Options{})
		key := w.keyOf("c", "m1")
		for _, c := range caches {
			got, err := c.Get(w.ctx, key)
			want(t, got, err, key+"#1")
		}
		if err := caches[1].Close(); err != nil {
			t.Fatal(err)
		}
		closedEverywhere(t, caches[1], key)
		began := time.Now()
		got, err := caches[0].Get(w.ctx, key) // right away: the others may not know yet
		want(t, got, err, key+"#2")
		if d := time.Since(began); d > 100*time.Millisecond {
			t.Errorf("the first get afterwards took %v", d)
		}
		w.settled("c", 2)
		for i := range 50 {
			key := fmt.Sprint("k", i)
			for _, c := range []*mesh.Cache[[]byte]{caches[0], caches[2]} {
				got, err := c.Get(w.ctx, key)
				want(t, got, err, key+"#1")
			}
		}
		w.settled("other", 3) // it still owns its share of the other cache
		got, err = others[1].Get(w.ctx, "x")
		want(t, got, err, "x#1")
		if n := len(w.meshes[0].Members()); n != 3 {
			t.Errorf("%d members", n)
		}
		if err := caches[0].Invalidate(w.ctx, key); err != nil {
			t.Error(err)
		}
		openOn[[]byte](w, w.meshes[1], "c", o, mesh.Options{})
		w.settled("c", 3)
	})
}

func TestAfterLeaveEverythingIsClosed(t *testing.T) {
	bubble(t, 3, func(t *testing.T, w *town) {
		o := testenv.NewOrigin()
		caches := open[[]byte](w, "c", o, mesh.Options{})
		var keys []string
		for i := range 300 {
			keys = append(keys, fmt.Sprint("k", i))
		}
		if _, err := caches[1].GetMany(w.ctx, keys); err != nil {
			t.Fatal(err)
		}
		m := w.meshes[1]
		var wg sync.WaitGroup
		for range 3 { // several at once, too
			wg.Go(func() {
				if err := m.Leave(w.ctx); err != nil {
					t.Errorf("Leave: %v", err)
				}
			})
		}
		wg.Wait()
		if err := m.Leave(w.ctx); err != nil {
			t.Errorf("Leave again: %v", err)
		}
		closedEverywhere(t, caches[1], keys[0])
		_, err := mesh.NewCache[[]byte](m, "late", o, mesh.Options{})
		wantErr(t, err, mesh.ErrClosed)
		if n := len(m.Members()); n != 0 || m.Owner("c", "k") != "" {
			t.Errorf("it sees %d members and %q owns", n, m.Owner("c", "k"))
		}
		_ = m.Stats()
		if w.conns[1].IsClosed() {
			t.Error("the caller's connection was closed")
		}
		if n := w.conns[1].NumSubscriptions(); n != 0 {
			t.Errorf("%d subscriptions left", n)
		}
		w.soon("the others have heard of it", func() bool { return len(w.meshes[0].Members()) == 2 && len(w.meshes[2].Members()) == 2 })
		for _, c := range []*mesh.Cache[[]byte]{caches[0], caches[2]} {
			if got, err := c.GetMany(w.ctx, keys); err != nil || len(got) != 300 {
				t.Error(len(got), err)
			}
		}
		if n := o.Loads(); n != 300 {
			t.Errorf("%d loads of 300 keys: the heirs have not taken over", n)
		}
	})
}

func TestLeaveUnderADoneContextStillAnnounces(t *testing.T) {
	bubble(t, 3, func(t *testing.T, w *town) {
		caches := open[[]byte](w, "c", testenv.NewOrigin(), mesh.Options{})
		if _, err := caches[1].Get(w.ctx, w.keyOf("c", "m1")); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(w.ctx)
		cancel()
		began := time.Now()
		wantErr(t, w.meshes[1].Leave(ctx), context.Canceled)
		if err := w.meshes[1].Leave(ctx); err != nil {
			t.Errorf("Leave again: %v", err)
		}
		time.Sleep(time.Until(began.Add(time.Second)))
		if n := len(w.meshes[0].Members()); n != 2 {
			t.Errorf("the others see %d members after a second", n)
		}
		closedEverywhere(t, caches[1], "k")
	})
}

func TestLeaveWaitsForLoadsThatOthersWaitFor(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		o := testenv.NewOrigin()
		caches := open[[]byte](w, "c", o, mesh.Options{})
		key := w.keyOf("c", "m1")
		o.SetDelay(3600 * time.Millisecond) // at no time at which a question is repeated
		waiting := get(w.ctx, caches[0], key)
		w.soon("the load has begun", func() bool { return o.Waiting() == 1 })
		if err := w.meshes[1].Leave(w.ctx); err != nil {
			t.Error(err)
		}
		a := <-waiting
		want(t, a.value, a.err, key+"#1")
		if o.Loads() != 1 {
			t.Errorf("%d loads", o.Loads())
		}
	})
}

func TestAClosedConnectionEndsTheMesh(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		o := testenv.NewOrigin()
		caches := open[[]byte](w, "c", o, mesh.Options{})
		warm, cold := w.keysOf("c", "m0", 2)[0], w.keyOf("c", "m1")
		got, err := caches[0].Get(w.ctx, warm)
		want(t, got, err, warm+"#1")
		o.Hold()
		waiting := get(w.ctx, caches[0], cold)
		w.soon("the load has begun", func() bool { return o.Waiting() == 1 })
		began := time.Now()
		w.conns[0].Close()
		_, err = caches[0].Get(w.ctx, "another") // a miss: at once
		wantErr(t, err, mesh.ErrClosed)
		wantErr(t, caches[0].Invalidate(w.ctx, "k"), mesh.ErrClosed)
		if d := time.Since(began); d > 0 {
			t.Errorf("that took %v", d)
		}
		w.soon("hits end as well", func() bool {
			_, err := caches[0].Get(w.ctx, warm)
			return errors.Is(err, mesh.ErrClosed)
		})
		if a := <-waiting; !errors.Is(a.err, mesh.ErrClosed) {
			t.Errorf("who waited got %q, %v", a.value, a.err)
		}
		if d := time.Since(began); d > 100*time.Millisecond {
			t.Errorf("all that took %v", d)
		}
		closedEverywhere(t, caches[0], warm)
		if err := w.meshes[0].Leave(w.ctx); err != nil {
			t.Errorf("Leave: %v", err)
		}
		_, err = mesh.NewCache[[]byte](w.meshes[0], "late", o, mesh.Options{})
		wantErr(t, err, mesh.ErrClosed)
		o.Release()
		w.soon("the other goes on alone", func() bool { return len(w.meshes[1].Members()) == 1 })
		got, err = caches[1].Get(w.ctx, warm)
		if err != nil {
			t.Errorf("%q, %v", got, err)
		}
	})
}

func TestAConnectionClosedDuringJoinEndsIt(t *testing.T) {
	bubble(t, 1, func(t *testing.T, w *town) {
		nc := w.server.Connect(t)
		joined := later(func() (*mesh.Mesh, error) { return mesh.Join(w.ctx, nc, mesh.Config{ID: "late"}) })
		nc.Close()
		if a := <-joined; !errors.Is(a.err, mesh.ErrClosed) {
			t.Errorf("Join gave %v, %v", a.value, a.err)
		}
	})
}

// closer is a log that closes the connection at the first record, which Join
// writes just before it subscribes.
type closer struct {
	slog.Handler
	nc *nats.Conn
}

func (c closer) Handle(context.Context, slog.Record) error { c.nc.Close(); return nil }

func (c closer) Enabled(context.Context, slog.Level) bool { return true }

func (c closer) WithAttrs([]slog.Attr) slog.Handler { return c }

func TestAConnectionClosedBeforeJoinSubscribesIsErrClosed(t *testing.T) {
	bubble(t, 0, func(t *testing.T, w *town) {
		nc := w.server.Connect(t, nats.MaxReconnects(3))
		_, err := mesh.Join(w.ctx, nc, mesh.Config{ID: "late", Logger: slog.New(closer{slog.DiscardHandler, nc})})
		wantErr(t, err, mesh.ErrClosed)
		if !nc.IsClosed() {
			t.Error("Join wrote nothing to the log: this test closed nothing")
		}
	})
}

func TestACacheIsNotOpenedOnAConnectionThatHasJustClosed(t *testing.T) {
	s := testenv.NATS(t)
	for i := range 5 {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		nc := s.Connect(t)
		m, err := mesh.Join(ctx, nc, mesh.Config{Name: fmt.Sprint("closed", i), Heartbeat: 100 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		nc.Close()
		got := later(func() (int, error) {
			_, err := mesh.NewCache(m, "c", loader.Of(func(context.Context, string) (string, error) { return "", nil }), mesh.Options{})
			return 0, err
		})
		select {
		case a := <-got:
			wantErr(t, a.err, mesh.ErrClosed)
		case <-time.After(3 * time.Second):
			t.Fatalf("round %d: NewCache hangs", i)
		}
		cancel()
	}
}

func TestWhoWaitsForTheOpeningIsToldOfTheClosing(t *testing.T) {
	virtual(t, 2, func(t *testing.T, r *rig) {
		r.all[1].link.Cut()
		o := newSource()
		c, err := mesh.NewCache(r.all[0].Mesh, "d", loader.Loader[string](o), mesh.Options{})
		if err != nil {
			t.Fatal(err)
		}
		got := get(t.Context(), c, "k")
		time.Sleep(100 * time.Millisecond)
		_ = c.Close()
		n := o.all()
		a := <-got
		if o.all() > n || !errors.Is(a.err, mesh.ErrClosed) {
			t.Errorf("%q, %v, %d loads after Close", a.value, a.err, o.all()-n)
		}
	})
}
