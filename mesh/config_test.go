package mesh_test

import (
	"context"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/testenv"
)

func wantText(t *testing.T, err error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error; want one that says %q", texts)
		return
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("the error %q does not say %q", err, text)
		}
	}
}

func TestAConfigThatMakesNoSenseIsRefusedByFieldAndRule(t *testing.T) {
	nc := testenv.NATS(t).Connect(t)
	long := strings.Repeat("x", 65)
	for _, c := range []struct {
		cfg   mesh.Config
		texts []string
	}{
		{mesh.Config{Name: "a.b"}, []string{"Config.Name", `"a.b"`, "A-Z a-z 0-9 _ -"}},
		{mesh.Config{Name: "*"}, []string{"Config.Name"}},
		{mesh.Config{Name: long}, []string{"Config.Name", "1 to 64"}},
		{mesh.Config{ID: "a.b"}, []string{"Config.ID", `"a.b"`, "A-Z a-z 0-9 _ -"}},
		{mesh.Config{ID: "a b"}, []string{"Config.ID"}},
		{mesh.Config{ID: "ä"}, []string{"Config.ID"}},
		{mesh.Config{ID: long}, []string{"Config.ID", "1 to 64"}},
		{mesh.Config{Weight: -1}, []string{"Config.Weight", "-1", "1 to 100"}},
		{mesh.Config{Weight: 101}, []string{"Config.Weight", "101"}},
		{mesh.Config{Heartbeat: -1}, []string{"Config.Heartbeat", "10ms"}},
		{mesh.Config{Heartbeat: time.Millisecond}, []string{"Config.Heartbeat", "10ms"}},
		{mesh.Config{Heartbeat: time.Hour}, []string{"Config.Heartbeat", "1m"}},
		{mesh.Config{Lease: time.Second}, []string{"Config.Lease", "3 heartbeats", "3s"}},
		{mesh.Config{Lease: -1}, []string{"Config.Lease"}},
		{mesh.Config{Quorum: 65}, []string{"Config.Quorum", "65", "64"}},
		{mesh.Config{Quorum: -1}, []string{"Config.Quorum"}},
		{mesh.Config{Name: "a.b", ID: "c.d"}, []string{"Config.Name", "Config.ID"}},
	} {
		began := time.Now()
		m, err := mesh.Join(t.Context(), nc, c.cfg)
		if wantText(t, err, c.texts...); m != nil {
			t.Errorf("%+v gives a mesh", c.cfg)
		}
		if err != nil && c.cfg.Lease == 0 && strings.Contains(err.Error(), "Lease") {
			t.Errorf("%+v: a field that was not set: %v", c.cfg, err)
		}
		if d := time.Since(began); d > time.Second {
			t.Errorf("%+v took %v", c.cfg, d)
		}
	}
}

func TestJoinRefusesAConnectionThatIsNone(t *testing.T) {
	_, err := mesh.Join(t.Context(), nil, mesh.Config{})
	wantText(t, err, "NATS connection", "nil")
	nc := testenv.NATS(t).Connect(t)
	done, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = mesh.Join(done, nc, mesh.Config{})
	wantErr(t, err, context.Canceled)
	nc.Close()
	_, err = mesh.Join(t.Context(), nc, mesh.Config{})
	wantErr(t, err, mesh.ErrClosed)
	wantText(t, err, "connection is closed")
}

func TestTheZeroConfigWorks(t *testing.T) {
	bubble(t, 0, func(t *testing.T, w *town) {
		nc := w.server.Connect(t)
		m, err := mesh.Join(w.ctx, nc, mesh.Config{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Leave(w.ctx)
		other, err := mesh.Join(w.ctx, nc, mesh.Config{Logger: slog.New(slog.DiscardHandler), Weight: 3}) // over the same connection
		if err != nil {
			t.Fatal(err)
		}
		defer other.Leave(w.ctx)
		if len(m.ID()) < 16 || m.ID() == other.ID() {
			t.Errorf("the IDs are %s and %s", m.ID(), other.ID())
		}
		all := m.Members()
		if len(all) != 2 || all[0].ID >= all[1].ID || all[0].Version != mesh.Version || all[0].Weight+all[1].Weight != 4 || all[0].Reader {
			t.Errorf("the members are %+v", all)
		}
		if m.Owner("c", "k") != "" {
			t.Error("a cache that nobody has opened has an owner")
		}
	})
}

// refusedOptions are what NewCache refuses, with what the error says.
var refusedOptions = []struct {
	opts  mesh.Options
	texts []string
}{
	{mesh.Options{MaxBytes: -1}, []string{"Options.MaxBytes", "-1", "65536"}},
	{mesh.Options{MaxBytes: 1000}, []string{"Options.MaxBytes", "1000"}},
	{mesh.Options{TTL: -1}, []string{"Options.TTL", "1ms"}},
	{mesh.Options{TTL: time.Microsecond}, []string{"Options.TTL", "1µs", "1ms"}},
	{mesh.Options{Jitter: 1.1}, []string{"Options.Jitter", "1.1", "at most 1"}},
	{mesh.Options{Jitter: math.NaN()}, []string{"Options.Jitter", "NaN"}},
	{mesh.Options{NegativeTTL: -1}, []string{"Options.NegativeTTL"}},
	{mesh.Options{NegativeTTL: 1}, []string{"Options.NegativeTTL", "1ms"}},
	{mesh.Options{ReplicaTTL: -1}, []string{"Options.ReplicaTTL", "1ms"}},
	{mesh.Options{ReplicaTTL: 1}, []string{"Options.ReplicaTTL"}},
	{mesh.Options{LoadTimeout: -time.Second}, []string{"Options.LoadTimeout", "-1s"}},
	{mesh.Options{LoadTimeout: 1}, []string{"Options.LoadTimeout"}},
	{mesh.Options{MaxLoads: -1}, []string{"Options.MaxLoads", "at least 1"}},
	{mesh.Options{MaxValueBytes: -1}, []string{"Options.MaxValueBytes"}},
	{mesh.Options{MaxValueBytes: 2 << 30}, []string{"Options.MaxValueBytes", "1073741824"}},
	{mesh.Options{StaleWhileRevalidate: -1}, []string{"Options.StaleWhileRevalidate"}},
	{mesh.Options{StaleIfError: -1}, []string{"Options.StaleIfError"}},
	{mesh.Options{SoftTimeout: time.Second}, []string{"Options.SoftTimeout", "StaleIfError"}},
	{mesh.Options{SoftTimeout: -1, StaleIfError: time.Minute}, []string{"Options.SoftTimeout"}},
	{mesh.Options{RefreshAhead: -0.1}, []string{"Options.RefreshAhead"}},
	{mesh.Options{RefreshAhead: 1}, []string{"Options.RefreshAhead"}},
	{mesh.Options{RefreshAhead: math.NaN()}, []string{"Options.RefreshAhead"}},
	{mesh.Options{MaxIsolation: -1}, []string{"Options.MaxIsolation"}},
	{mesh.Options{BatchLimit: -1}, []string{"Options.BatchLimit"}},
	{mesh.Options{BatchWindow: time.Hour}, []string{"Options.BatchWindow"}},
	{mesh.Options{Observer: (*listener)(nil)}, []string{"Options.Observer", "nil *mesh_test.listener"}},
	{mesh.Options{MaxBytes: -1, TTL: -1}, []string{"Options.MaxBytes", "Options.TTL"}},
}

func TestOptionsThatMakeNoSenseAreRefusedByFieldAndRule(t *testing.T) {
	bubble(t, 1, func(t *testing.T, w *town) {
		for _, r := range refusedOptions {
			c, err := mesh.NewCache[[]byte](w.meshes[0], "c", testenv.NewOrigin(), r.opts)
			if wantText(t, err, r.texts...); c != nil {
				t.Errorf("%v gives a cache", r.texts)
			}
		}
		if n := len(w.meshes[0].Members()[0].Caches); n != 0 {
			t.Errorf("%d caches are open", n)
		}
		openOn[[]byte](w, w.meshes[0], "c", testenv.NewOrigin(), mesh.Options{
			TTL: mesh.NoExpiry, ReplicaBytes: -5, Jitter: -2, MaxBytes: 64 << 10, MaxValueBytes: 1 << 30, MaxLoads: 1,
		})
	})
}

func TestNewCacheRefusesWhatItCannotOpen(t *testing.T) {
	bubble(t, 1, func(t *testing.T, w *town) {
		m := w.meshes[0]
		_, err := mesh.NewCache(nil, "c", loader.Of(func(context.Context, string) (string, error) { return "", nil }), mesh.Options{})
		wantText(t, err, "mesh", "nil")
		for _, name := range []string{"", "a.b", "a b", ">", strings.Repeat("c", 65)} {
			_, err := mesh.NewCache[[]byte](m, name, testenv.NewOrigin(), mesh.Options{})
			wantText(t, err, "name", "A-Z a-z 0-9 _ -")
		}
		var none *testenv.Origin
		for kind, from := range map[string]loader.Loader[[]byte]{
			"nil": nil, "pointer": none, "Func": loader.Func[[]byte](nil),
			"Of": loader.Of[[]byte](nil), "OfMany": loader.OfMany[[]byte](nil),
		} {
			_, err := mesh.NewCache(m, "c", from, mesh.Options{})
			if wantText(t, err, "loader"); t.Failed() {
				t.Fatal(kind)
			}
		}
		first := openOn[[]byte](w, m, "c", testenv.NewOrigin(), mesh.Options{})
		_, err = mesh.NewCache[[]byte](m, "c", testenv.NewOrigin(), mesh.Options{})
		wantText(t, err, "c", "open already")
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		openOn[[]byte](w, m, "c", testenv.NewOrigin(), mesh.Options{})
	})
}

func TestTheYoungerOfTwoWithOneIDIsRefused(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		_, err := mesh.Join(w.ctx, w.server.Connect(t), mesh.Config{ID: "m1", Logger: slog.New(slog.DiscardHandler)})
		wantErr(t, err, mesh.ErrIDTaken)
		if n := len(w.meshes[0].Members()); n != 2 {
			t.Errorf("%d members", n)
		}
		if err := w.meshes[1].Leave(w.ctx); err != nil {
			t.Fatal(err)
		}
		again, err := mesh.Join(w.ctx, w.server.Connect(t), mesh.Config{ID: "m1", Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatalf("the ID is free again: %v", err)
		}
		if err := again.Leave(w.ctx); err != nil {
			t.Error(err)
		}
	})
}
