package node

import (
	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/loader/httporigin"
)

// httpOrigin is an "http://" or "https://" URL with {key} where the key goes.
var httpOrigin = origin{
	check: func(s string) error {
		_, err := httporigin.New(s, httporigin.Options{}) // sends nothing
		return err
	},
	open: func(s string, env originEnv) (loader.Loader[[]byte], error) {
		return httporigin.New(s, httporigin.Options{MaxBytes: env.maxValue})
	},
}
