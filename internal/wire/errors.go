package wire

import (
	"errors"
	"fmt"
)

var (
	// ErrNotOurs is returned when data does not begin with the envelope of a
	// message of this protocol.
	ErrNotOurs = errors.New("wire: not a message of a mesh")

	// ErrVersion is returned when data is a message of another version of the
	// protocol. The error that wraps it names both versions.
	ErrVersion = errors.New("wire: another protocol version")

	// ErrMalformed is returned when a message breaks a rule of the protocol:
	// by Decode and its kin for what has come, by Append and AppendAnswer for
	// what was about to go. The error that wraps it names the rule.
	ErrMalformed = errors.New("wire: malformed message")

	// ErrToken is returned when a name or an ID is not a single subject token.
	ErrToken = errors.New("wire: not a subject token")
)

// malformed wraps ErrMalformed with what is wrong.
func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}
