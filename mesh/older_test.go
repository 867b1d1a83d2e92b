package mesh_test

import (
	"bytes"
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
)

func TestAReplicaIsGoneWhereANewerValueHasNoRoom(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		var large atomic.Bool
		caches := open(w, "c", loader.Of(func(context.Context, string) ([]byte, error) {
			if large.Load() {
				return append([]byte("new"), bytes.Repeat([]byte{'x'}, 5000)...), nil
			}
			return []byte("old"), nil
		}), mesh.Options{TTL: time.Minute, ReplicaBytes: 16 << 10, ReplicaTTL: 10 * time.Second})
		key := w.keyOf("c", "m1")
		w.soon("there is a replica", func() bool {
			e, err := caches[0].Lookup(w.ctx, key)
			return err == nil && e.Source == mesh.Replica
		})
		large.Store(true)
		time.Sleep(time.Millisecond)
		for _, opts := range [][]mesh.ReadOption{{mesh.Fresh()}, nil} {
			e, err := caches[0].Lookup(w.ctx, key, opts...)
			if err != nil || len(e.Value) != 5003 {
				t.Errorf("%.10q (%v), %v: want the newer value", e.Value, e.Source, err)
			}
		}
	})
}
