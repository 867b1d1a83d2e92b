package mesh_test

import (
	"context"
	"testing"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/testenv"
)

type part struct {
	Name  string
	Price int
}

func TestAValueIsDecodedOncePerMember(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		caches := open(w, "c", loader.Of(func(_ context.Context, key string) (*part, error) {
			return &part{Name: key, Price: 7}, nil
		}), mesh.Options{})
		key := w.keyOf("c", "m1")
		first, err := caches[1].Get(w.ctx, key)
		if err != nil || first.Name != key {
			t.Fatal(first, err)
		}
		if again, _ := caches[1].Get(w.ctx, key); again != first {
			t.Error("the owner decoded it twice")
		}
		w.soon("there is a replica", func() bool {
			e, err := caches[0].Lookup(w.ctx, key)
			return err == nil && e.Source == mesh.Replica
		})
		replica, err := caches[0].Get(w.ctx, key)
		if err != nil || *replica != *first {
			t.Fatal(replica, err)
		}
		if again, _ := caches[0].Get(w.ctx, key); again != replica {
			t.Error("the replica was decoded twice")
		}
	})
}

func allocsOfHit[V any](t *testing.T, value V) {
	t.Helper()
	s := testenv.NATS(t)
	w := newTown(t, s, 1)
	c := open(w, "c", loader.Of(func(context.Context, string) (V, error) { return value, nil }), mesh.Options{})[0]
	ctx := context.Background()
	if _, err := c.Get(ctx, "key"); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(1000, func() {
		if _, err := c.Get(ctx, "key"); err != nil {
			t.Error(err)
		}
	}); n >= 1 {
		t.Errorf("a hit allocates %v times for %T", n, value)
	}
}

func TestAHitAllocatesNothing(t *testing.T) {
	t.Run("bytes", func(t *testing.T) { allocsOfHit(t, []byte("value")) })
	t.Run("string", func(t *testing.T) { allocsOfHit(t, "value") })
	t.Run("struct", func(t *testing.T) { allocsOfHit(t, part{"a", 1}) })
	t.Run("pointer", func(t *testing.T) { allocsOfHit(t, &part{"a", 1}) })
}
