package node

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/cachemesh/cachemesh/loader"
)

// origin is a kind of place that values come from, chosen by the scheme of
// CacheSpec.Origin. Each kind is one file.
type origin struct {
	// check refuses what could never be opened. It touches nothing outside
	// the process.
	check func(origin string) error
	// open gives the loader. An io.Closer is closed when the node has left.
	open func(origin string, env originEnv) (loader.Loader[[]byte], error)
}

// originEnv is what an origin may use of the node that opens it.
type originEnv struct {
	nc       *nats.Conn // for origins that live on NATS
	maxValue int64      // bytes; what is larger could not be cached, so need not be read whole
}

// origins by scheme.
var origins = map[string]origin{
	"file":  fileOrigin,
	"http":  httpOrigin,
	"https": httpOrigin,
}

// findOrigin gives the kind of an origin that passes its check.
func findOrigin(s string) (origin, error) {
	scheme, _, ok := strings.Cut(s, ":")
	kind, known := origins[strings.ToLower(scheme)]
	switch {
	case s == "":
		return origin{}, errors.New("it has no origin: write file:DIR or https://HOST/{key}")
	case !ok:
		return origin{}, fmt.Errorf("origin %q has no scheme: write file:%s for a directory, or https://HOST/{key}", s, s)
	case !known:
		schemes := slices.Sorted(maps.Keys(origins))
		return origin{}, fmt.Errorf("origin %q has an unknown scheme: there are %s", s, strings.Join(schemes, ", "))
	}
	if err := kind.check(s); err != nil {
		return origin{}, err
	}
	return kind, nil
}
