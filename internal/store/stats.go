package store

import "sync/atomic"

// Usage is what one class of values takes up.
type Usage struct {
	Entries int64 // values held, those that have expired but not been displaced included
	Bytes   int64 // their cost: key, value and overhead
}

// Stats is a snapshot of a store; its numbers are read one after the other.
type Stats struct {
	Owned     Usage
	Replica   Usage
	Evictions uint64 // values displaced by others
	Rejected  uint64 // values that nobody read while they were on probation
	Discarded uint64 // fills that something had voided by the time of Keep
}

// usage counts the values of both classes.
type usage struct {
	classes [2]struct{ entries, bytes atomic.Int64 } // owned, replica
}

func class(replica bool) int {
	if replica {
		return 1
	}
	return 0
}

func (u *usage) add(replica bool, cost int64) {
	c := &u.classes[class(replica)]
	c.entries.Add(1)
	c.bytes.Add(cost)
}

func (u *usage) remove(replica bool, cost int64) {
	c := &u.classes[class(replica)]
	c.entries.Add(-1)
	c.bytes.Add(-cost)
}

func (u *usage) of(replica bool) Usage {
	c := &u.classes[class(replica)]
	return Usage{Entries: c.entries.Load(), Bytes: c.bytes.Load()}
}

// Stats returns what the store holds now and what it has lost so far.
func (s *Store) Stats() Stats {
	return Stats{
		Owned:     s.usage.of(false),
		Replica:   s.usage.of(true),
		Evictions: s.evictions.Load(),
		Rejected:  s.rejected.Load(),
		Discarded: s.discarded.Load(),
	}
}
