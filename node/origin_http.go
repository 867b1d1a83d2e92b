package node

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/loader/httporigin"
)

// httpOrigin is an "http://" or "https://" URL with {key} where the key goes.
var httpOrigin = origin{
	check: func(s string) error {
		if !strings.Contains(s, "{key}") {
			return fmt.Errorf("origin %q does not say where the key goes: write {key} into it, such as https://HOST/path/{key}", redacted(s))
		}
		u, err := url.Parse(strings.ReplaceAll(s, "{key}", "key"))
		if err != nil {
			return fmt.Errorf("origin is not a URL: %v", err)
		}
		if u.Host == "" {
			return fmt.Errorf("origin %q names no host: write https://HOST/path/{key}", redacted(s))
		}
		return nil
	},
	open: func(s string, env originEnv) (loader.Loader[[]byte], error) {
		return httporigin.New(s, httporigin.Options{MaxBytes: env.maxValue})
	},
}
