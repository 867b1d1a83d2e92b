package node

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/mesh"
)

// start starts a node that leaves with the test.
func start(t testing.TB, cfg Config) *Node {
	t.Helper()
	if cfg.Heartbeat == 0 {
		cfg.Heartbeat = 50 * time.Millisecond
	}
	if cfg.Logger == nil {
		cfg.Logger = quiet
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	n, err := Start(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		n.Leave(ctx)
	})
	return n
}

// embedded is a configuration with a NATS of its own, on a free port.
var embedded = Config{Embed: true, EmbedAddr: "127.0.0.1:0"}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

func TestAReaderReadsWhatAnotherNodeServes(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("value"), 0o644); err != nil {
		t.Fatal(err)
	}
	cfg := embedded
	cfg.Caches = []CacheSpec{{Name: "docs", Origin: "file:" + dir}}
	owner := start(t, cfg)
	reader := start(t, Config{NATS: owner.URL(), Reader: true})
	cache, err := mesh.NewCache[[]byte](reader.Mesh(), "docs", nil, mesh.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	e, err := cache.Lookup(ctx, "a")
	if err != nil || string(e.Value) != "value" || e.Owner != owner.ID() {
		t.Errorf("%+v, %v", e, err)
	}
	if _, err := cache.Get(ctx, "../a"); !errors.Is(err, mesh.ErrNotFound) {
		t.Errorf("outside the directory: %v", err)
	}
}

func TestANodeIsReadyFromItsJoinUntilItLeaves(t *testing.T) {
	cfg := embedded
	cfg.HTTP = "127.0.0.1:0"
	n := start(t, cfg)
	base := "http://" + n.HTTPAddr()
	for path, want := range map[string]string{"/healthz": "ok", "/readyz": "ready", "/": "/metrics"} {
		if code, body := httpGet(t, base+path); code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d %q", path, code, body)
		}
	}
	if code, _ := httpGet(t, base+"/none"); code != http.StatusNotFound {
		t.Errorf("/none: %d", code)
	}
	if err := n.Leave(t.Context()); err != nil {
		t.Error(err)
	}
	if err := n.Ready(); err == nil {
		t.Error("ready after Leave")
	}
	select {
	case <-n.Done():
	default:
		t.Error("not done after Leave")
	}
	if err := n.Err(); err != nil {
		t.Errorf("left, yet Err is %v", err)
	}
	if !n.Conn().IsClosed() {
		t.Error("the connection is open after Leave")
	}
	if _, err := http.Get(base + "/healthz"); err == nil {
		t.Error("the admin server answers after Leave")
	}
	if err := n.Leave(t.Context()); err != nil {
		t.Errorf("a second Leave: %v", err)
	}
}

func TestProbesAreAnsweredBeforeTheNodeHasJoined(t *testing.T) {
	n := &Node{cfg: Config{HTTP: "127.0.0.1:0", Logger: quiet}, log: quiet, done: make(chan struct{})}
	a, err := startAdmin(n)
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 503, "/metrics": 200} {
		if code, body := httpGet(t, "http://"+a.addr()+path); code != want {
			t.Errorf("%s: %d %q, want %d", path, code, body, want)
		}
	}
}

func TestANodeThatIsCutOffIsNotReadyAndRecovers(t *testing.T) {
	owner := start(t, embedded)
	addr := strings.TrimPrefix(owner.URL(), "nats://")
	n := start(t, Config{NATS: owner.URL()})
	if err := n.Ready(); err != nil {
		t.Fatal(err)
	}
	if err := owner.Leave(t.Context()); err != nil { // and its NATS with it
		t.Fatal(err)
	}
	eventually(t, "the node notices", func() bool { return n.Ready() != nil })
	start(t, Config{Embed: true, EmbedAddr: addr})
	eventually(t, "the node is ready again", func() bool { return n.Ready() == nil })
	eventually(t, "the two agree", func() bool { return len(n.Mesh().Members()) == 2 })
}

func TestAConnectionClosedForGoodEndsTheNode(t *testing.T) {
	n := start(t, embedded)
	n.Conn().Close()
	select {
	case <-n.Done():
	case <-time.After(5 * time.Second):
		t.Fatal("not done")
	}
	if !errors.Is(n.Err(), ErrDisconnected) || n.Ready() == nil {
		t.Errorf("Err %v, Ready %v", n.Err(), n.Ready())
	}
	if err := n.Leave(t.Context()); err != nil {
		t.Errorf("Leave: %v", err)
	}
}

func TestATakenIDIsRefusedAndLeavesNothingBehind(t *testing.T) {
	first := embedded
	first.ID = "one"
	n := start(t, first)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err := Start(ctx, Config{NATS: n.URL(), ID: "one", Heartbeat: 50 * time.Millisecond, HTTP: "0", Logger: quiet})
	if !errors.Is(err, mesh.ErrIDTaken) {
		t.Errorf("got %v", err)
	}
	eventually(t, "its connection is gone", func() bool { return n.server.Clients() == 1 })
}

func TestABadOriginOrOptionIsAConfigError(t *testing.T) {
	for name, spec := range map[string]CacheSpec{
		"/no/such/dir": {Name: "docs", Origin: "file:/no/such/dir"},
		"MaxBytes":     {Name: "docs", Origin: "file:.", Options: mesh.Options{MaxBytes: -1}},
	} {
		cfg := embedded
		cfg.Caches, cfg.Logger = []CacheSpec{spec}, quiet
		_, err := Start(t.Context(), cfg)
		if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), `cache "docs"`) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAConnectionHasTheOptionsThatAMeshWants(t *testing.T) {
	opts := start(t, embedded).Conn().Opts
	for what, ok := range map[string]bool{
		"no buffer while cut off":        opts.ReconnectBufSize == -1,
		"reconnects for ever":            opts.MaxReconnect == -1,
		"flusher gives up after 2s":      opts.FlusherTimeout == 2*time.Second,
		"and reconnects then":            opts.ReconnectOnFlusherError,
		"authorisation may come back":    opts.IgnoreAuthErrorAbort,
		"denied subscriptions are known": opts.PermissionErrOnSubscribe,
		"a silent server is found":       opts.PingInterval == 10*time.Second && opts.MaxPingsOut == 2,
		"it has a name":                  strings.HasPrefix(opts.Name, "cachemesh default"),
	} {
		if !ok {
			t.Errorf("not so: %s", what)
		}
	}
}

func httpGet(t *testing.T, url string) (int, string) {
	t.Helper()
	client := http.Client{Timeout: 5 * time.Second}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}
