package mesh_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

func TestSmoke(t *testing.T) {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	s.ReadyForConnections(5 * time.Second)
	defer s.Shutdown()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var loads atomic.Int64
	var caches []*mesh.Cache[string]
	var ms []*mesh.Mesh
	for i := range 4 {
		nc, err := nats.Connect(s.ClientURL())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		t0 := time.Now()
		m, err := mesh.Join(ctx, nc, mesh.Config{Name: "t", ID: fmt.Sprint("n", i), Heartbeat: 300 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		t.Log("join took", time.Since(t0), len(m.Members()))
		ms = append(ms, m)
	}
	for _, m := range ms {
		c, err := mesh.NewCache(m, "c", loader.Of(func(ctx context.Context, key string) (string, error) {
			loads.Add(1)
			if key == "cold" { time.Sleep(50 * time.Millisecond) }
			return "v:" + key, nil
		}), mesh.Options{})
		if err != nil {
			t.Fatal(err)
		}
		caches = append(caches, c)
	}
	t0 := time.Now()
	var wg sync.WaitGroup
	for i := range 10000 {
		wg.Go(func() {
			v, err := caches[i%4].Get(ctx, "cold")
			if err != nil || v != "v:cold" {
				t.Error(v, err)
			}
		})
	}
	wg.Wait()
	t.Log("herd", time.Since(t0), loads.Load())
	loads.Store(0)
	t0 = time.Now()
	for r := range 12 {
		wg.Go(func() {
			for k := range 2000 {
				key := fmt.Sprint("k", (k+r*100)%2000)
				if v, err := caches[r%3].Get(ctx, key); err != nil || v != "v:"+key {
					t.Error(v, err)
				}
			}
		})
	}
	wg.Wait()
	t.Log("12 readers", time.Since(t0), loads.Load())
	t0 = time.Now()
	if err := caches[2].Invalidate(ctx, "cold"); err != nil {
		t.Error(err)
	}
	t.Log("invalidate", time.Since(t0))
	for i := range 4 {
		e, err := caches[i].Lookup(ctx, "cold")
		t.Logf("%+v %v", e, err)
	}
	t0 = time.Now()
	if err := caches[0].Set(ctx, "s", loader.Item[string]{Value: "set"}); err != nil {
		t.Error(err)
	}
	t.Log("set", time.Since(t0))
	for i := range 4 {
		e, err := caches[i].Lookup(ctx, "s")
		t.Logf("%+v %v", e, err)
	}
	for _, m := range ms {
		t.Logf("%+v", m.Stats())
	}
	loads.Store(0)
	t0 = time.Now()
	if err := ms[1].Leave(ctx); err != nil {
		t.Error(err)
	}
	t.Log("leave", time.Since(t0))
	for k := range 2000 {
		if _, err := caches[0].Get(ctx, fmt.Sprint("k", k)); err != nil {
			t.Error(err)
		}
	}
	t.Log("loads after leave", loads.Load())
}
