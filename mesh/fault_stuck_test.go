package mesh_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/cachemesh/cachemesh/internal/wire"
	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/testenv"
)

// getStuck fills a connection whose link swallows, until who publishes on it waits. blocked reports
// whether that is so still; stop ends the filling.
func getStuck(t *testing.T, link *testenv.Link, nc *nats.Conn) (blocked func() bool, stop func()) {
	t.Helper()
	t.Cleanup(link.Cut) // it ends the write, so that the connection can be closed
	var over atomic.Bool
	go func() {
		payload := make([]byte, 512<<10)
		for !over.Load() && nc.Publish("elsewhere", payload) == nil {
		}
	}()
	blocked = func() bool {
		probe := make(chan struct{})
		go func() { nc.Buffered(); close(probe) }()
		select {
		case <-probe:
			return false
		case <-time.After(500 * time.Millisecond):
			return true
		}
	}
	testenv.Eventually(t, time.Minute, "who publishes waits", blocked)
	return blocked, func() { over.Store(true) }
}

// TestNoCallWaitsForAConnectionThatIsStuck fills a connection to a black hole until who
// publishes on it waits, with nats.go's lock held, for as long as a write may take. What
// members are asked for has its own bounds.
func TestNoCallWaitsForAConnectionThatIsStuck(t *testing.T) {
	s := testenv.NATS(t)
	w := newTown(t, s, 1)
	link := testenv.NewLink(t, s)
	nc := link.Connect(t, nats.FlusherTimeout(time.Minute), nats.PingInterval(time.Minute))
	m, err := mesh.Join(w.ctx, nc, mesh.Config{ID: "stuck", Heartbeat: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	w.meshes = append(w.meshes, m)
	caches := open(w, "c", loader.Of(func(_ context.Context, key string) ([]byte, error) { return []byte(key), nil }), mesh.Options{})
	stuck := caches[1]
	mine, other := w.keyOf("c", "stuck"), w.keysOf("c", "m0", 3)
	if _, err := stuck.Get(w.ctx, mine); err != nil {
		t.Fatal(err)
	}
	link.Swallow()
	blocked, _ := getStuck(t, link, nc)
	calls := map[string]func(ctx context.Context) error{
		"Get of a held key": func(ctx context.Context) error { _, err := stuck.Get(ctx, mine); return err },
		"Get":               func(ctx context.Context) error { _, err := stuck.Get(ctx, other[0]); return err },
		"GetMany":           func(ctx context.Context) error { _, err := stuck.GetMany(ctx, other); return err },
		"Lookup":            func(ctx context.Context) error { _, err := stuck.Lookup(ctx, other[1], mesh.Fresh()); return err },
		"Set":               func(ctx context.Context) error { return stuck.Set(ctx, mine, loader.Item[[]byte]{}) },
		"Invalidate":        func(ctx context.Context) error { return stuck.Invalidate(ctx, mine) },
		"InvalidateTags":    func(ctx context.Context) error { return stuck.InvalidateTags(ctx, "tag") },
		"Clear":             stuck.Clear,
	}
	names := append(slices.Sorted(maps.Keys(calls)), "Join", "NewCache", "Close", "Leave")
	calls["Join"] = func(ctx context.Context) error { _, err := mesh.Join(ctx, nc, mesh.Config{}); return err }
	calls["NewCache"] = func(context.Context) error {
		_, err := mesh.NewCache(m, "d", loader.Of(func(_ context.Context, key string) ([]byte, error) { return nil, nil }), mesh.Options{})
		return err
	}
	calls["Close"] = func(context.Context) error { return stuck.Close() }
	calls["Leave"] = m.Leave
	for _, name := range names {
		call := calls[name]
		ctx, cancel := context.WithTimeout(w.ctx, 300*time.Millisecond)
		ended := make(chan error, 1)
		go func() { ended <- call(ctx) }()
		select {
		case err := <-ended:
			var partial *mesh.PartialError
			if err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.As(err, &partial) {
				t.Errorf("%s: %v", name, err)
			}
		case <-time.After(20 * time.Second): // a write to the black hole takes longer
			t.Errorf("%s waits for the connection", name)
		}
		cancel()
	}
	if !blocked() {
		t.Error("the connection is not stuck any more: this test shows nothing")
	}
}

func TestAStuckConnectionHoldsUpNoBatchOfLoads(t *testing.T) {
	s := testenv.NATS(t)
	w := newTown(t, s, 1)
	link := testenv.NewLink(t, s)
	nc := link.Connect(t, nats.FlusherTimeout(time.Minute), nats.PingInterval(time.Minute))
	m, err := mesh.Join(w.ctx, nc, mesh.Config{ID: "stuck", Heartbeat: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	w.meshes = append(w.meshes, m)
	from := loader.OfMany(func(_ context.Context, keys []string) (map[string][]byte, error) {
		out := map[string][]byte{}
		for _, k := range keys {
			out[k] = []byte(k)
		}
		return out, nil
	})
	caches := open[[]byte](w, "c", from, mesh.Options{})
	stuck := caches[1]
	mine := w.keysOf("c", "stuck", 20)
	if _, err := stuck.GetMany(w.ctx, mine[:10]); err != nil {
		t.Fatal(err)
	}
	link.Swallow(testenv.ToServer)
	getStuck(t, link, nc)
	local := func(key string) error {
		ctx, cancel := context.WithTimeout(w.ctx, 3*time.Second)
		defer cancel()
		_, err := stuck.Get(ctx, key)
		return err
	}
	if err := local(mine[15]); err != nil {
		t.Error("before the question:", err)
	}
	go func() {
		ctx, cancel := context.WithTimeout(w.ctx, time.Second)
		defer cancel()
		_, _ = caches[0].GetMany(ctx, mine[:10])
	}()
	time.Sleep(100 * time.Millisecond)
	if err := local(mine[16]); err != nil {
		t.Error("after the question:", err)
	}
	time.Sleep(3 * time.Second)
	if err := local(mine[17]); err != nil {
		t.Error("later:", err)
	}
}

// What opens late, for a cache that has been closed meanwhile, takes nothing from the one that came after it.
func TestACacheThatIsOpenedAgainOverAStuckConnectionAnswersClients(t *testing.T) {
	s := testenv.NATS(t)
	r := newRig(t, s)
	r.nats = []nats.Option{nats.FlusherTimeout(time.Minute), nats.PingInterval(time.Minute)}
	r.config = mesh.Config{Heartbeat: time.Second, Lease: 30 * time.Second}
	here := r.join("m0")
	client := s.Connect(t)
	here.link.Swallow(testenv.ToServer)
	blocked, stop := getStuck(t, here.link, here.nc)
	open := func() *mesh.Cache[[]byte] {
		c, err := mesh.NewCache(here.Mesh, "d", r.origin, mesh.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if err := open().Close(); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(300*time.Millisecond, func() {
		stop()
		here.link.Heal()
	})
	c := open()
	testenv.Eventually(t, 20*time.Second, "the connection is not stuck any more", func() bool { return !blocked() })
	answers := func() bool {
		_, err := client.Request("mesh.default.get.d", []byte("k"), time.Second)
		return err == nil
	}
	testenv.Eventually(t, 20*time.Second, "clients are answered", answers)
	for until := time.Now().Add(2 * time.Second); time.Now().Before(until); time.Sleep(100 * time.Millisecond) {
		if !answers() {
			t.Fatal("clients of the cache that is open are not answered any more")
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, 10*time.Second, "nobody answers clients of a closed cache", func() bool {
		_, err := client.Request("mesh.default.get.d", []byte("k"), time.Second)
		return errors.Is(err, nats.ErrNoResponders)
	})
}

func TestADisplacedMemberHoldsUpNoCloseOverAStuckConnection(t *testing.T) {
	s := testenv.NATS(t)
	r := newRig(t, s)
	r.nats = []nats.Option{nats.FlusherTimeout(time.Minute), nats.PingInterval(time.Minute)}
	r.config = mesh.Config{Heartbeat: time.Second, Lease: 30 * time.Second}
	client := s.Connect(t)
	beats, err := client.SubscribeSync("mesh.default.all.m0")
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Flush(); err != nil {
		t.Fatal(err)
	}
	here := r.join("m0")
	msg, err := beats.NextMsg(5 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	body, err := wire.Decode(msg.Data)
	if err != nil {
		t.Fatal(err)
	}
	const most = 10
	for i := range 2 * most {
		if _, err := mesh.NewCache(here.Mesh, fmt.Sprint("x", i), r.origin, mesh.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	here.link.Swallow(testenv.ToServer)
	blocked, _ := getStuck(t, here.link, here.nc)
	taken, err := wire.Append(nil, &wire.Taken{ID: "m0", Nonce: body.(*wire.Beat).Nonce})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Publish("mesh.default.to.m0.m0", taken); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, 5*time.Second, "it is displaced", func() bool { return here.Stats().Displaced })
	ended := make(chan error, 1)
	go func() { ended <- here.cache.Close() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(most * time.Second): // a second for each cache is twice as long
		t.Error("Close waits for all caches to be closed to clients")
	}
	if !blocked() {
		t.Error("the connection is not stuck any more: this test shows nothing")
	}
}
