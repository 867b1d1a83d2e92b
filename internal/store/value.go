package store

import "sync/atomic"

// Value is one kept value. It is immutable once it has been handed to Keep or
// Replace, apart from its atomic fields. Callers of Get share it. The budget counts
// len(Data): a Data that is a part of a larger array keeps the whole array alive.
type Value struct {
	// What a hit reads comes first, in one cache line's bytes.

	Data     []byte              // the value as it travels; shared, never changed
	Until    int64               // kept until then; Get never returns the value from then on
	Refresh  int64               // from then on a read is the host's cue to renew the value; the store ignores it
	View     atomic.Uint64       // the view under which the host last judged whether it owns the key
	decoded  atomic.Pointer[any] // what Data decodes to, so that it is decoded once
	Reads    atomic.Uint32       // reads of a replica; the host's to count
	Replica  bool                // counted as a replica
	NotFound bool                // a remembered absence

	Expires int64  // fresh until then; math.MaxInt64 means for ever
	Began   int64  // when its load began, on the host's monotonic clock, in ns
	Owner   string // the member that gave the value
	ETag    string // the origin's validator, for conditional loads
	Version uint64 // the origin's own version; 0 means that it has none
	Tags    []string
	Cost    int64 // bytes charged beside key and overhead; 0 means len(Data)

	Heat  atomic.Uint64 // how often others ask for the key; the host's to count
	Busy  atomic.Int64  // until when the host takes a renewal to be under way
	Retry atomic.Int64  // until when the host does not try again after a load that failed
}

// Decoded returns what SetDecoded has stored, and whether it has stored anything.
func (v *Value) Decoded() (any, bool) {
	if p := v.decoded.Load(); p != nil {
		return *p, true
	}
	return nil, false
}

// SetDecoded stores the decoded form of Data. Several callers may decode at the
// same time; the last one stands, which is harmless as they decode the same bytes.
func (v *Value) SetDecoded(d any) { v.decoded.Store(&d) }

// payload returns the bytes charged for the value itself.
func (v *Value) payload() int64 {
	if v.Cost > 0 {
		return v.Cost
	}
	return int64(len(v.Data))
}
