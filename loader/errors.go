package loader

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrNotFound is returned when the origin has no value for the key.
var ErrNotFound = errors.New("not found")

// ErrNoLoader is returned when a nil loader is asked to load.
var ErrNoLoader = errors.New("loader: the loader is nil")

// ErrGoexit is the Value of the PanicError of a load that called runtime.Goexit,
// as the FailNow of a test does.
var ErrGoexit = errors.New("the load called runtime.Goexit")

// ErrAbandoned is the cause of a flight's context when its last waiter has left.
var ErrAbandoned = errors.New("loader: nobody waits for the load any more")

// KeysError is returned when some keys of several failed. A nil one says that none did.
type KeysError struct {
	Errs map[string]error // by key
}

// How much of a KeysError its message tells: keys may be many and long.
const (
	maxKeysTold = 3
	maxKeyTold  = 64
)

// Error says how many keys failed, and the first few with their errors.
func (e *KeysError) Error() string {
	keys := e.keys()
	var b strings.Builder
	if len(keys) == 1 {
		b.WriteString("1 key failed")
	} else {
		fmt.Fprintf(&b, "%d keys failed", len(keys))
	}
	for i, key := range keys {
		if i == maxKeysTold {
			fmt.Fprintf(&b, ", and %d more", len(keys)-i)
			break
		}
		separator := ", "
		if i == 0 {
			separator = ": "
		}
		b.WriteString(separator + quoted(key) + ": " + e.Errs[key].Error())
	}
	return b.String()
}

// Unwrap returns the errors in the order of their keys.
func (e *KeysError) Unwrap() []error {
	keys := e.keys()
	errs := make([]error, len(keys))
	for i, key := range keys {
		errs[i] = e.Errs[key]
	}
	return errs
}

// keys returns the keys that failed, in order.
func (e *KeysError) keys() []string {
	if e == nil {
		return nil
	}
	keys := make([]string, 0, len(e.Errs))
	for key, err := range e.Errs {
		if err != nil {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

func quoted(key string) string {
	if len(key) <= maxKeyTold {
		return fmt.Sprintf("%q", key)
	}
	return fmt.Sprintf("%q... (%d bytes)", key[:maxKeyTold], len(key))
}

// PanicError is returned when a load panicked or called runtime.Goexit. It does
// not unwrap to a panic's value: a loader that panics with ErrNotFound has not
// said that the key is not found.
type PanicError struct {
	Value any    // of the panic; ErrGoexit if there was none
	Stack []byte // of the goroutine that panicked, as debug.Stack formats it
}

// Error tells the value and leaves the stack to logs.
func (e *PanicError) Error() string {
	if e.Value == ErrGoexit {
		return "loader: " + ErrGoexit.Error()
	}
	return fmt.Sprintf("loader: the load panicked: %v", e.Value)
}

// Is reports whether target is ErrGoexit and the load called runtime.Goexit.
func (e *PanicError) Is(target error) bool {
	return target == ErrGoexit && e.Value == ErrGoexit
}
