package httporigin

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/cachemesh/cachemesh/loader"
)

// ErrTooLarge is returned when an answer has more bytes than Options.MaxBytes.
var ErrTooLarge = errors.New("httporigin: the answer is too large")

// StatusError is returned when the server answers with a status that is neither
// a value nor not found.
type StatusError struct {
	Code    int
	URL     string // that answered, without user and password
	Snippet string // the beginning of the body, at most 256 bytes
}

func (e *StatusError) Error() string {
	s := fmt.Sprintf("httporigin: %s: %d", e.URL, e.Code)
	if text := http.StatusText(e.Code); text != "" {
		s += " " + text
	}
	if e.Snippet != "" {
		s += fmt.Sprintf(": %q", e.Snippet)
	}
	return s
}

// KeyError is returned when a key would lead to another place of the server than
// the template names. It wraps loader.ErrNotFound.
type KeyError struct {
	Key  string
	Rule string // that the key breaks
}

func (e *KeyError) Error() string {
	return fmt.Sprintf("httporigin: key %s: %s", quoted(e.Key), e.Rule)
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
