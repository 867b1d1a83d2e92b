package node

import (
	"errors"
	"fmt"
)

var (
	// ErrConfig is returned, wrapped, when the configuration makes no sense: a
	// bad name, a bad cache specification, a directory that does not exist.
	ErrConfig = errors.New("bad configuration")
	// ErrNoNATS is returned, wrapped, when no NATS server answers at Config.NATS.
	ErrNoNATS = errors.New("no NATS server answers")
	// ErrAddrInUse is returned, wrapped, when something listens already where
	// the embedded NATS server should: most often, another NATS.
	ErrAddrInUse = errors.New("cannot start a NATS server here")
	// ErrDisconnected is the reason of a Node whose NATS connection was closed
	// for good without Leave.
	ErrDisconnected = errors.New("node: the NATS connection was closed")
)

// configError is an ErrConfig with a text of its own: the reader learns what
// was wrong, not that it is called a configuration error.
type configError struct{ text string }

func (e *configError) Error() string        { return e.text }
func (e *configError) Is(target error) bool { return target == ErrConfig }

func configErrorf(format string, a ...any) error {
	return &configError{fmt.Sprintf(format, a...)}
}
