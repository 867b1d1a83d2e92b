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
	check func(spec CacheSpec) error
	// open gives the loader. An io.Closer is closed when the node has left.
	open func(spec CacheSpec, env originEnv) (loader.Loader[[]byte], error)
}

// originEnv is what an origin may use of the node that opens it.
type originEnv struct {
	nc       *nats.Conn // for origins that live on NATS
	maxValue int64      // bytes; what is larger could not be cached, so need not be read whole
}

// origins by scheme.
var origins = map[string]origin{
	"file":      fileOrigin,
	"http":      httpOrigin,
	"https":     httpOrigin,
	"synthetic": syntheticOrigin,
}

// findOrigin gives the kind of a specification's origin, which passes its check.
func findOrigin(spec CacheSpec) (origin, error) {
	s := spec.Origin
	scheme, _, ok := strings.Cut(s, ":")
	scheme = strings.ToLower(scheme)
	kind, known := origins[scheme]
	switch {
	case s == "":
		return origin{}, errors.New("it has no origin: write file:DIR or https://HOST/{key}")
	case !ok:
		return origin{}, fmt.Errorf("origin %q has no scheme: write file:%s for a directory, or https://HOST/{key}", s, s)
	case !known:
		schemes := slices.Sorted(maps.Keys(origins))
		return origin{}, fmt.Errorf("origin %q has an unknown scheme: there are %s", s, strings.Join(schemes, ", "))
	case spec.KeepSlashes && scheme != "http" && scheme != "https":
		return origin{}, fmt.Errorf("option keep-slashes is for http and https origins, this is %s", scheme)
	case spec.Latency != 0 && scheme != "synthetic":
		return origin{}, fmt.Errorf("option latency is for synthetic origins, this is %s", scheme)
	}
	if err := kind.check(spec); err != nil {
		return origin{}, err
	}
	return kind, nil
}
