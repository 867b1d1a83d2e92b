package node

import (
	"errors"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/loader/fileorigin"
)

// fileOrigin is "file:DIR": the files of a directory, by slash path.
var fileOrigin = origin{
	check: func(spec CacheSpec) error {
		if fileDir(spec.Origin) == "" {
			return errors.New("origin file: names no directory: write file:DIR, such as file:/srv/docs")
		}
		return nil
	},
	open: func(spec CacheSpec, env originEnv) (loader.Loader[[]byte], error) {
		return fileorigin.New(fileDir(spec.Origin), fileorigin.Options{MaxBytes: env.maxValue})
	},
}

// fileDir takes off the scheme. "file:///srv" and "file:/srv" are the same path.
func fileDir(s string) string { return s[len("file:"):] }
