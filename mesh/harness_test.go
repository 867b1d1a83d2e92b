package mesh_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/testenv"
)

// bound ends every wait of a test here, in virtual time for most.
const bound = 2 * time.Minute

// logBook is a logger's text, for tests that read it.
type logBook struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (b *logBook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBook) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// town is one server and the members that a test has had join.
type town struct {
	t      *testing.T
	ctx    context.Context
	server *testenv.Server
	log    *logBook
	conns  []*nats.Conn
	meshes []*mesh.Mesh
}

// bubble runs f in virtual time with a town of n members, called m0, m1...
func bubble(t *testing.T, n int, f func(t *testing.T, w *town)) {
	t.Helper()
	testenv.Bubble(t, func(t *testing.T) {
		f(t, newTown(t, testenv.InProcess(t), n))
	})
}

func newTown(t *testing.T, s *testenv.Server, n int) *town {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	t.Cleanup(cancel)
	w := &town{t: t, ctx: ctx, server: s, log: &logBook{}}
	cfg := mesh.Config{}
	if s.URL() != "" {
		cfg.Heartbeat = 300 * time.Millisecond // of real time
	}
	for range n {
		w.join(cfg)
	}
	return w
}

// join has one more member join, which leaves at the end of the test.
func (w *town) join(cfg mesh.Config) *mesh.Mesh {
	w.t.Helper()
	if cfg.ID == "" {
		cfg.ID = fmt.Sprint("m", len(w.meshes))
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(w.log, nil))
	}
	nc := w.server.Connect(w.t)
	m, err := mesh.Join(w.ctx, nc, cfg)
	if err != nil {
		w.t.Fatalf("join %s: %v", cfg.ID, err)
	}
	w.conns = append(w.conns, nc)
	w.meshes = append(w.meshes, m)
	w.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = m.Leave(ctx)
	})
	return m
}

// open opens a cache on every member and returns when each of them knows that all own a share.
func open[V any](w *town, name string, from loader.Loader[V], opts mesh.Options) []*mesh.Cache[V] {
	w.t.Helper()
	caches := make([]*mesh.Cache[V], len(w.meshes))
	for i, m := range w.meshes {
		caches[i] = openOn(w, m, name, from, opts)
	}
	w.settled(name, len(w.meshes))
	return caches
}

func openOn[V any](w *town, m *mesh.Mesh, name string, from loader.Loader[V], opts mesh.Options) *mesh.Cache[V] {
	w.t.Helper()
	c, err := mesh.NewCache(m, name, from, opts)
	if err != nil {
		w.t.Fatalf("open %s on %s: %v", name, m.ID(), err)
	}
	return c
}

// settled waits until every live member sees that n members own keys of the cache.
func (w *town) settled(name string, n int) {
	w.t.Helper()
	testenv.Eventually(w.t, bound, fmt.Sprintf("%d members own keys of %s", n, name), func() bool {
		for _, m := range w.meshes {
			if len(m.Members()) == 0 {
				continue // it has left
			}
			owners := map[string]bool{}
			for i := range 64 * n {
				owners[m.Owner(name, fmt.Sprint("probe", i))] = true
			}
			delete(owners, "")
			if len(owners) != n {
				return false
			}
		}
		return true
	})
}

// keyOf is a key that the member owns.
func (w *town) keyOf(cache, id string) string { return w.keysOf(cache, id, 1)[0] }

func (w *town) keysOf(cache, id string, n int) (keys []string) {
	w.t.Helper()
	for i := range 100000 {
		if key := fmt.Sprint("key", i); w.meshes[0].Owner(cache, key) == id {
			if keys = append(keys, key); len(keys) == n {
				return keys
			}
		}
	}
	w.t.Fatalf("%s owns no %d keys of %s", id, n, cache)
	return nil
}

// soon waits until cond holds.
func (w *town) soon(what string, cond func() bool) {
	w.t.Helper()
	testenv.Eventually(w.t, bound, what, cond)
}

// answer is what a call in the background came to.
type answer[T any] struct {
	value T
	err   error
}

// later runs f in the background.
func later[T any](f func() (T, error)) <-chan answer[T] {
	ch := make(chan answer[T], 1)
	go func() {
		v, err := f()
		ch <- answer[T]{v, err}
	}()
	return ch
}

func get[V any](ctx context.Context, c *mesh.Cache[V], key string, opts ...mesh.ReadOption) <-chan answer[V] {
	return later(func() (V, error) { return c.Get(ctx, key, opts...) })
}

// want checks a Get's answer.
func want[T ~string | ~[]byte](t *testing.T, got T, err error, value string) {
	t.Helper()
	if err != nil || string(got) != value {
		t.Errorf("got %.80q, %v; want %.80q", string(got), err, value)
	}
}

func wantErr(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("the error is %v, which is not %v", err, target)
	}
}

// loads is the sum of the loads that the caches count.
func loads[V any](caches []*mesh.Cache[V]) (n uint64) {
	for _, c := range caches {
		n += c.Stats().Loads
	}
	return n
}
