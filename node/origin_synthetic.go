package node

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
)

// syntheticOrigin is "synthetic:SIZE": a value of that size under every key,
// made on the spot. It is for benchmarks, of a mesh that has no data yet.
var syntheticOrigin = origin{
	check: func(spec CacheSpec) error {
		size, err := syntheticSize(spec)
		if err != nil {
			return fmt.Errorf("origin synthetic: %v", err)
		}
		most := spec.Options.MaxValueBytes
		if most == 0 {
			most = mesh.DefaultMaxValueBytes
		}
		if size > most {
			return fmt.Errorf("origin synthetic: values of %d bytes are over max-value, which is %d", size, most)
		}
		return nil
	},
	open: func(spec CacheSpec, _ originEnv) (loader.Loader[[]byte], error) {
		size, err := syntheticSize(spec)
		return synthetic{size, spec.Latency}, err
	},
}

func syntheticSize(spec CacheSpec) (int64, error) { return ParseSize(spec.Origin[len("synthetic:"):]) }

// synthetic is a loader of made-up values.
type synthetic struct {
	size    int64         // bytes of each value
	latency time.Duration // of each load
}

// Load gives the key's value after the latency. The bytes do not compress and
// are the same on every member and in every load. Each load makes a slice of
// its own, so that memory fills as it would with real values.
func (s synthetic) Load(ctx context.Context, req loader.Request[[]byte]) (loader.Item[[]byte], error) {
	if s.latency > 0 {
		timer := time.NewTimer(s.latency)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return loader.Item[[]byte]{}, context.Cause(ctx)
		}
	}
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], xxhash.Sum64String(req.Key))
	value := make([]byte, s.size)
	rand.NewChaCha8(seed).Read(value) // it never fails
	return loader.Item[[]byte]{Value: value}, nil
}
