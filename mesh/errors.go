package mesh

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/cachemesh/cachemesh/loader"
)

// ErrNotFound is returned, wrapped in a *LoadError where a load was made for
// the caller, when the origin has no such key.
var ErrNotFound = loader.ErrNotFound

var (
	// ErrNotCached is returned when CachedOnly was asked for and nobody holds the value.
	ErrNotCached = errors.New("mesh: not cached")
	// ErrTooLarge is returned when a value is over Options.MaxValueBytes.
	ErrTooLarge = errors.New("mesh: value too large")
	// ErrClosed is returned when the cache or the mesh has been closed, or the
	// NATS connection under it.
	ErrClosed = errors.New("mesh: closed")
	// ErrBadKey is returned when a key is empty or longer than 65,536 bytes.
	ErrBadKey = errors.New("mesh: bad key")
	// ErrOverloaded is returned when a load had not got its turn, for
	// Options.MaxLoads, by the caller's deadline or LoadTimeout.
	ErrOverloaded = errors.New("mesh: too many loads under way")
	// ErrNoOwner is returned when nobody who has opened the cache can be
	// reached, and this member is a Reader.
	ErrNoOwner = errors.New("mesh: no owner can be reached")
	// errNilContext is returned where a call that may wait is given no context.
	errNilContext = errors.New("mesh: the context is nil; context.Background() is one without an end")
	// ErrIDTaken is returned by Join when a live member uses the same ID. In a PartialError it
	// says that one has displaced this member before all others had confirmed.
	ErrIDTaken = errors.New("mesh: ID is taken by a live member")
)

// LoadError is the origin's error, as it reaches every caller that waited for
// the load, on every member.
type LoadError struct {
	Key    string // that was loaded
	Member string // the ID of the member that loaded
	Err    error  // what the loader returned; across members its words, and errors.Is(err, ErrNotFound) where it held
}

func (e *LoadError) Error() string {
	return fmt.Sprintf("mesh: load of %s on member %s: %v", quoteKey(e.Key), e.Member, e.Err)
}

// Unwrap gives the loader's error.
func (e *LoadError) Unwrap() error { return e.Err }

// PartialError is returned by Invalidate, InvalidateTags, Clear and Set when
// not every member has confirmed in time. The invalidation goes on behind the
// caller's back until each of them has it or is evicted; where this member has been
// displaced (ErrIDTaken), once it joins again.
type PartialError struct {
	Members []string // IDs of the members that have not confirmed, by ID, those evicted meanwhile included; none where only a quorum was waited for, or those who had yet to be heard
	cause   error    // why the caller stopped waiting
}

func (e *PartialError) Error() string {
	s := fmt.Sprintf("mesh: %d members have not confirmed: %s", len(e.Members), strings.Join(e.Members, ", "))
	switch len(e.Members) {
	case 0:
		s = "mesh: all members that are heard have confirmed, and they are no quorum"
		if e.cause == ErrIDTaken {
			s = "mesh: members that have yet to be heard have not confirmed"
		}
	case 1:
		s = "mesh: 1 member has not confirmed: " + e.Members[0]
	}
	if e.cause != nil {
		s += ": " + e.cause.Error()
	}
	return s
}

// Unwrap gives the reason why the caller stopped waiting, such as
// context.DeadlineExceeded.
func (e *PartialError) Unwrap() error { return e.cause }

// KeysError holds the errors of single keys of a batch.
type KeysError = loader.KeysError

// remoteError is the text of an origin's error that crossed the wire.
type remoteError struct {
	text string
	is   error // the sentinel that it was where it arose; nil: none that we know
}

func (e *remoteError) Error() string { return e.text }

func (e *remoteError) Unwrap() error { return e.is }

// errLoadTimeout ends a load that takes longer than LoadTimeout.
var errLoadTimeout = fmt.Errorf("the load took longer than LoadTimeout: %w", context.DeadlineExceeded)

// mostQuoted is how much of a key is shown.
const mostQuoted = 64

// quoteKey shows a key in an error: quoted, and no longer than a line.
func quoteKey(key string) string {
	if len(key) > mostQuoted {
		return fmt.Sprintf("%q... (%d bytes)", key[:mostQuoted], len(key))
	}
	return fmt.Sprintf("%q", key)
}
