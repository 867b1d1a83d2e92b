package mesh_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/testenv"
)

// benchMesh is members in this process, each on a connection of its own with
// nothing between it and the server.
type benchMesh struct {
	members []*mesh.Mesh
	caches  []*mesh.Cache[[]byte] // theirs, in the same order
}

// newBenchMesh is n members that know each other's caches. Values are size bytes.
func newBenchMesh(b *testing.B, n, size int) (w benchMesh) {
	b.Helper()
	server := testenv.NATS(b)
	from := loader.Of(func(context.Context, string) ([]byte, error) { return make([]byte, size), nil })
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for i := range n {
		m, err := mesh.Join(ctx, server.Connect(b), mesh.Config{ID: fmt.Sprint("m", i), Heartbeat: 100 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			_ = m.Leave(ctx) // others have gone already
		})
		c, err := mesh.NewCache(m, "c", from, mesh.Options{MaxBytes: 512 << 20, ReplicaBytes: -1, TTL: mesh.NoExpiry})
		if err != nil {
			b.Fatal(err)
		}
		w.members, w.caches = append(w.members, m), append(w.caches, c)
	}
	testenv.Eventually(b, 20*time.Second, "all know that all have the cache", w.ready)
	return w
}

func (w benchMesh) ready() bool {
	for _, m := range w.members {
		open := 0
		for _, other := range m.Members() {
			open += len(other.Caches)
		}
		if open < len(w.members) {
			return false
		}
	}
	return true
}

// keysOf are n keys that the member owns, and holds: the first has read each.
func (w benchMesh) keysOf(b *testing.B, owner, n int) (keys []string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for i := 0; len(keys) < n; i++ {
		key := fmt.Sprint("key-", i)
		if w.members[0].Owner("c", key) != w.members[owner].ID() {
			continue
		}
		if _, err := w.caches[0].Get(ctx, key); err != nil {
			b.Fatal(err)
		}
		keys = append(keys, key)
	}
	return keys
}

// BenchmarkRemoteGet gets values of 1 KiB that another member holds, over a
// nats-server; all of it in this process, whose CPU time and allocations are
// those of caller, owner and server.
func BenchmarkRemoteGet(b *testing.B) {
	w := newBenchMesh(b, 2, 1<<10)
	keys := w.keysOf(b, 1, 1024)
	for _, callers := range []int{1, 64, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			shared(b, callers, func(ctx context.Context, i int) error {
				_, err := w.caches[0].Get(ctx, keys[i%len(keys)])
				return err
			})
		})
	}
}

// BenchmarkRemoteGetOfSize gets larger values, by 16 callers: the largest are
// pulled in pieces.
func BenchmarkRemoteGetOfSize(b *testing.B) {
	for _, size := range []int{16 << 10, 256 << 10, 4 << 20} {
		b.Run(fmt.Sprintf("KiB=%d", size>>10), func(b *testing.B) {
			w := newBenchMesh(b, 2, size)
			keys := w.keysOf(b, 1, 32) // more than callers, so that they ask for different ones
			b.SetBytes(int64(size))
			shared(b, 16, func(ctx context.Context, i int) error {
				_, err := w.caches[0].Get(ctx, keys[i%len(keys)])
				return err
			})
		})
	}
}

// BenchmarkGetMany gets 100 keys at once, half of them held by another member.
func BenchmarkGetMany(b *testing.B) {
	w := newBenchMesh(b, 2, 1<<10)
	keys := append(w.keysOf(b, 0, 50), w.keysOf(b, 1, 50)...)
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if got, err := w.caches[0].GetMany(ctx, keys); err != nil || len(got) != len(keys) {
			b.Fatal(len(got), err)
		}
	}
}

// BenchmarkFresh loads a key again, by a loader that takes no time, where
// this member owns them and where another does.
func BenchmarkFresh(b *testing.B) {
	for owner, name := range []string{"owner=self", "owner=other"} {
		b.Run(name, func(b *testing.B) {
			w := newBenchMesh(b, 2, 1<<10)
			keys := w.keysOf(b, owner, 64)
			ctx := context.Background()
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := w.caches[0].Get(ctx, keys[i%len(keys)], mesh.Fresh()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkInvalidate waits until all three members have confirmed.
func BenchmarkInvalidate(b *testing.B) {
	w := newBenchMesh(b, 3, 1<<10)
	keys := w.keysOf(b, 1, 64)
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			shared(b, callers, func(ctx context.Context, i int) error {
				return w.caches[0].Invalidate(ctx, keys[i%len(keys)])
			})
		})
	}
}

// BenchmarkSet invalidates and keeps the new value, at home and at the owner.
func BenchmarkSet(b *testing.B) {
	w := newBenchMesh(b, 3, 1<<10)
	keys := w.keysOf(b, 1, 64)
	item := loader.Item[[]byte]{Value: make([]byte, 1<<10)}
	ctx := context.Background()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := w.caches[0].Set(ctx, keys[i%len(keys)], item); err != nil {
			b.Fatal(err)
		}
	}
}

// shared lets so many callers share the benchmark's operations.
func shared(b *testing.B, callers int, do func(ctx context.Context, i int) error) {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for range callers {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= b.N {
					return
				}
				if err := do(ctx, i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}
