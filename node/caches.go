package node

import (
	"io"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
)

// openOrigins opens the origins of the node's caches, in their order. A reader
// has none.
func (n *Node) openOrigins(env originEnv) ([]loader.Loader[[]byte], error) {
	loaders := make([]loader.Loader[[]byte], len(n.cfg.Caches))
	if n.cfg.Reader {
		return loaders, nil
	}
	for i, spec := range n.cfg.Caches {
		kind, err := findOrigin(spec)
		if err != nil {
			return nil, configErrorf("cache %q: %v", spec.Name, err)
		}
		env.maxValue = spec.Options.MaxValueBytes
		if env.maxValue == 0 {
			env.maxValue = mesh.DefaultMaxValueBytes
		}
		loaders[i], err = kind.open(spec, env)
		if err != nil {
			return nil, configErrorf("cache %q: %v", spec.Name, err)
		}
		if closer, ok := loaders[i].(io.Closer); ok {
			n.opened = append(n.opened, closer)
		}
	}
	return loaders, nil
}
