package mesh_test

import (
	"context"
	"strings"
	"testing"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
)

func TestWhatWasHandedOverAndCannotBeDecodedIsLoadedAnew(t *testing.T) {
	for name, read := range map[string]func(w *town, c *mesh.Cache[part], key string) (part, error){
		"Get": func(w *town, c *mesh.Cache[part], key string) (part, error) { return c.Get(w.ctx, key) },
		"Lookup": func(w *town, c *mesh.Cache[part], key string) (part, error) {
			e, err := c.Lookup(w.ctx, key)
			return e.Value, err
		},
		"GetMany": func(w *town, c *mesh.Cache[part], key string) (part, error) {
			all, err := c.GetMany(w.ctx, []string{key})
			return all[key], err
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 2, func(t *testing.T, w *town) {
				loads := 0
				caches := open(w, "c", loader.Of(func(context.Context, string) (part, error) {
					loads++
					return part{"unreadable", loads}, nil
				}), mesh.Options{Codec: jsonCodec{}})
				key := w.keyOf("c", "m1")
				if got, err := caches[1].Get(w.ctx, key); err != nil || got.Price != 1 {
					t.Fatalf("%v, %v", got, err)
				}
				if err := w.meshes[1].Leave(w.ctx); err != nil {
					t.Fatal(err)
				}
				w.soon("it is handed over", func() bool {
					n := caches[0].Stats() // a replica until it is read, if the offer came before the news that m1 leaves
					return n.Entries+n.ReplicaEntries == 1 && w.meshes[0].Stats().Members == 1
				})
				for range 3 {
					got, err := read(w, caches[0], key)
					if err != nil || got.Price != 2 {
						t.Errorf("%v, %v", got, err)
					}
				}
				if loads != 2 {
					t.Errorf("%d loads", loads)
				}
				if n := strings.Count(w.log.String(), "cannot be decoded"); n != 1 {
					t.Errorf("the log tells of it %d times", n)
				}
			})
		})
	}
}

func TestAReplicaThatCannotBeDecodedIsNotKept(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		loads := 0
		caches := open(w, "c", loader.Of(func(context.Context, string) (part, error) {
			loads++
			return part{"unreadable", loads}, nil
		}), mesh.Options{Codec: jsonCodec{}})
		key := w.keyOf("c", "m1")
		for range 200 { // it is hot
			_, err := caches[0].Get(w.ctx, key)
			wantText(t, err, "glasses lost")
		}
		if s := caches[0].Stats(); s.ReplicaEntries != 0 || s.ReplicaHits != 0 {
			t.Errorf("%d replicas, %d hits", s.ReplicaEntries, s.ReplicaHits)
		}
		if loads != 1 {
			t.Errorf("%d loads", loads)
		}
	})
}
