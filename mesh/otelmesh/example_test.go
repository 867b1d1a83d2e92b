package otelmesh_test

import (
	"context"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/mesh/otelmesh"
)

func Example() {
	var m *mesh.Mesh // from mesh.Join
	open := func() (*mesh.Cache[string], error) {
		return mesh.NewCache(m, "users",
			loader.Of(func(ctx context.Context, key string) (string, error) { return "user " + key, nil }),
			mesh.Options{Observer: otelmesh.New(otelmesh.Options{})})
	}
	_ = open
}
