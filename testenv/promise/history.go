package promise

import (
	"fmt"
	"strings"
	"time"
)

// Load is one load of a key from the origin, or a value that Set put into the cache.
type Load struct {
	Number    uint64 // unique in the history, above 0
	Key       string
	Member    string        // that loaded
	Began     time.Duration // a value's age counts from here
	Ended     time.Duration // 0: under way when the history ended
	Version   uint64        // the origin's number of the value, if it has one
	Cancelled bool          // its context ended before it did: whoever asked has left
	Set       bool          // the value was given to Set, nothing was loaded
	Tags      []string      // of its value
}

// Get is one read that has ended.
type Get struct {
	Key, Member string
	Start, End  time.Duration
	Load        uint64 // the number of the load whose value was read; 0: none
	Err         error
	Deadline    time.Duration // when its context ended; 0: never
	Fresh       bool          // it asked for a load of its own
	// CountedBy are the members that counted Member when the get started, where that is known. Their completed
	// invalidations bind Member even if it was not there when they were made.
	CountedBy []string
}

// Outcome is how an invalidation ended.
type Outcome int

const (
	OK      Outcome = iota // returned nil
	Partial                // some have not confirmed
	Failed                 // another error: only the caller's own member is bound
	Refused                // not carried out at all, for its arguments or because the cache is closed
)

func (o Outcome) String() string { return [...]string{"ok", "partial", "failed", "refused"}[o] }

// Invalidation is one call of Invalidate, InvalidateTags, Clear or Set that has ended.
type Invalidation struct {
	Keys       []string // nil, without Tags: all keys
	Tags       []string // of the values that it is about; then there are no Keys
	Member     string   // the caller's
	Start, End time.Duration
	Outcome    Outcome
	Missing    []string // after Partial: who has not confirmed
	// Counted are the members that Member counted when the call returned. One that was evicted while the call ran is not
	// among them, and nil promises nothing about it. A partial outcome lists it, so that after one Counted holds also
	// those that Member counted when the call began.
	Counted []string
	Err     error
}

// Interval is a span of time, its ends included.
type Interval struct{ From, To time.Duration }

// History is what happened, in any order.
type History struct {
	Loads         []Load
	Gets          []Get
	Invalidations []Invalidation
	Steady        []Interval // when no member came, went or lost touch, as seen by whoever made the history so
}

// Event is a Load, a Get or an Invalidation.
type Event interface {
	fmt.Stringer
	start() time.Duration
}

func (l Load) start() time.Duration         { return l.Began }
func (g Get) start() time.Duration          { return g.Start }
func (i Invalidation) start() time.Duration { return i.Start }

func (l Load) String() string {
	what := "load"
	if l.Set {
		what = "set value"
	}
	s := fmt.Sprintf("%s %s %d of %q on %s", span(l.Began, l.Ended), what, l.Number, l.Key, l.Member)
	if l.Cancelled {
		s += ", cancelled"
	}
	return s
}

func (g Get) String() string {
	s := fmt.Sprintf("%s get of %q on %s", span(g.Start, g.End), g.Key, g.Member)
	switch {
	case g.Err != nil:
		return fmt.Sprintf("%s: %v", s, g.Err)
	case g.Load == 0:
		return s + " read nothing"
	}
	return fmt.Sprintf("%s read load %d", s, g.Load)
}

func (i Invalidation) String() string {
	keys := "all keys"
	switch {
	case i.Tags != nil:
		keys = fmt.Sprintf("tags %q", i.Tags)
	case i.Keys != nil:
		keys = fmt.Sprintf("%q", i.Keys)
	}
	s := fmt.Sprintf("%s invalidation of %s by %s: %v", span(i.Start, i.End), keys, i.Member, i.Outcome)
	if i.Outcome == Partial {
		s += " without " + strings.Join(i.Missing, ", ")
	}
	return fmt.Sprintf("%s (counted %s)", s, strings.Join(i.Counted, ", "))
}

func span(from, to time.Duration) string { return fmt.Sprintf("[%v to %v]", from, to) }
