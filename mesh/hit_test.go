package mesh_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/dgraph-io/ristretto/v2"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/testenv"
)

// BenchmarkLocalHit reads what this member holds, in turn with the same reads of a bare
// ristretto, so that both see the same machine: x/ristretto is the median of the ratios. The
// aim for Get is 1.1 to 1.25. An iteration is a turn of turnGets reads on each goroutine, of which
// there are as many as -cpu says.
func BenchmarkLocalHit(b *testing.B) {
	const turnGets = 8192
	keys := make([]string, 1024)
	for i := range keys {
		keys[i] = fmt.Sprint("some-key-", i)
	}
	bare, err := ristretto.NewCache(&ristretto.Config[string, []byte]{NumCounters: 1 << 17, MaxCost: 1 << 24, BufferItems: 64, IgnoreInternalCost: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(bare.Close)
	for _, key := range keys {
		bare.Set(key, make([]byte, 1<<10), 1)
	}
	bare.Wait()
	// turn is how long a read takes, by the wall, where all goroutines read.
	turn := func(b *testing.B, get func(key string) bool) float64 {
		var wg sync.WaitGroup
		goroutines := runtime.GOMAXPROCS(0)
		began := time.Now()
		for g := range goroutines {
			wg.Go(func() {
				for i := range turnGets {
					if !get(keys[(i+g*317)%len(keys)]) {
						b.Error("not found")
						return
					}
				}
			})
		}
		wg.Wait()
		return float64(time.Since(began)) / float64(turnGets*goroutines)
	}
	read := func(b *testing.B, get func(key string) bool) {
		b.Helper()
		for _, key := range keys {
			get(key)
		}
		var times, ratios []float64
		for b.Loop() {
			theirs := turn(b, func(key string) bool { _, ok := bare.Get(key); return ok })
			ours := turn(b, get)
			times, ratios = append(times, ours), append(ratios, ours/theirs)
		}
		slices.Sort(times)
		slices.Sort(ratios)
		b.ReportMetric(times[len(times)/2], "ns/get")
		b.ReportMetric(ratios[len(ratios)/2], "x/ristretto")
	}
	ctx := context.Background()
	open := func(b *testing.B, opts mesh.Options) *mesh.Cache[[]byte] {
		from := loader.Of(func(context.Context, string) ([]byte, error) { return make([]byte, 1<<10), nil })
		return testenv.Caches(b, testenv.Mesh(b, 1, testenv.MeshConfig{}), "c", from, opts)[0]
	}
	b.Run("Get", func(b *testing.B) {
		c := open(b, mesh.Options{})
		read(b, func(key string) bool { v, err := c.Get(ctx, key); return err == nil && v != nil })
	})
	b.Run("GetAllOptions", func(b *testing.B) {
		c := open(b, everything())
		read(b, func(key string) bool { v, err := c.Get(ctx, key); return err == nil && v != nil })
	})
	b.Run("GetDecoded", func(b *testing.B) {
		from := loader.Of(func(_ context.Context, key string) (record, error) { return record{key}, nil })
		c := testenv.Caches(b, testenv.Mesh(b, 1, testenv.MeshConfig{}), "c", from, mesh.Options{})[0]
		read(b, func(key string) bool { v, err := c.Get(ctx, key); return err == nil && v.Name == key })
	})
	b.Run("Lookup", func(b *testing.B) {
		c := open(b, mesh.Options{})
		read(b, func(key string) bool { e, err := c.Lookup(ctx, key); return err == nil && e.Value != nil })
	})
}
