package fileorigin

import (
	"errors"
	"fmt"

	"github.com/cachemesh/cachemesh/loader"
)

// ErrTooLarge is returned when a file has more bytes than Options.MaxBytes.
var ErrTooLarge = errors.New("fileorigin: the file is too large")

// ErrChanging is returned when a file changed during every attempt to read it.
var ErrChanging = errors.New("fileorigin: the file changes while it is read")

// ErrClosed is returned by Load after Close.
var ErrClosed = errors.New("fileorigin: closed")

// KeyError is returned when a key can name no file of the directory. It wraps
// loader.ErrNotFound.
type KeyError struct {
	Key  string
	Rule string // that the key breaks
}

func (e *KeyError) Error() string {
	return fmt.Sprintf("fileorigin: key %s: %s", quoted(e.Key), e.Rule)
}

// Unwrap returns loader.ErrNotFound.
func (e *KeyError) Unwrap() error { return loader.ErrNotFound }

// quoted returns the key as messages show it: keys may be long and are any bytes.
func quoted(key string) string {
	const most = 128
	if len(key) <= most {
		return fmt.Sprintf("%q", key)
	}
	return fmt.Sprintf("%q... (%d bytes)", key[:most], len(key))
}
