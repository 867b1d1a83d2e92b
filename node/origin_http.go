package node

import (
	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/loader/httporigin"
)

// httpOrigin is an "http://" or "https://" URL with {key} where the key goes.
var httpOrigin = origin{
	check: func(spec CacheSpec) error {
		_, err := httporigin.New(spec.Origin, httporigin.Options{KeepSlashes: spec.KeepSlashes}) // sends nothing
		return err
	},
	open: func(spec CacheSpec, env originEnv) (loader.Loader[[]byte], error) {
		return httporigin.New(spec.Origin, httporigin.Options{KeepSlashes: spec.KeepSlashes, MaxBytes: env.maxValue,
			Timeout: -1}) // the cache's LoadTimeout bounds every load
	},
}
