package node

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
)

// syntheticOrigin is "synthetic:SIZE" or "synthetic:LEAST-MOST": a value of that
// size under every key, made on the spot. It is for benchmarks, of a mesh that has
// no data yet.
var syntheticOrigin = origin{
	check: func(spec CacheSpec) error {
		s, err := newSynthetic(spec)
		if err != nil {
			return fmt.Errorf("origin synthetic: %v", err)
		}
		most := spec.Options.MaxValueBytes
		if most == 0 {
			most = mesh.DefaultMaxValueBytes
		}
		if s.most > most {
			return fmt.Errorf("origin synthetic: values of %d bytes are over max-value, which is %d", s.most, most)
		}
		return nil
	},
	open: func(spec CacheSpec, _ originEnv) (loader.Loader[[]byte], error) { return newSynthetic(spec) },
}

func newSynthetic(spec CacheSpec) (s synthetic, err error) {
	sizes := spec.Origin[len("synthetic:"):]
	least, most, differ := strings.Cut(sizes, "-")
	if s.least, err = ParseSize(least); err != nil {
		return s, err
	}
	s.most, s.latency = s.least, spec.Latency
	if !differ {
		return s, nil
	}
	if s.most, err = ParseSize(most); err != nil {
		return s, err
	}
	if s.least < 1 || s.most < s.least {
		return s, fmt.Errorf("sizes %q: write LEAST-MOST, with LEAST at least 1", sizes)
	}
	return s, nil
}

// synthetic is a loader of made-up values.
type synthetic struct {
	least, most int64         // bytes of a value
	latency     time.Duration // of each load
}

// sizeOf is the size of a key's value, by its hash. Each doubling of the size is as
// likely as the next, as in most real data: there are many small ones.
func (s synthetic) sizeOf(hash uint64) int64 {
	if s.least == s.most {
		return s.least
	}
	share := float64(hash>>11) / (1 << 53) // 0 to 1, without 1
	size := float64(s.least) * math.Pow(float64(s.most+1)/float64(s.least), share)
	return min(int64(size), s.most)
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
	hash := xxhash.Sum64String(req.Key)
	binary.LittleEndian.PutUint64(seed[:], hash)
	value := make([]byte, s.sizeOf(hash))
	rand.NewChaCha8(seed).Read(value) // it never fails
	return loader.Item[[]byte]{Value: value}, nil
}
