package main

import (
	"encoding/binary"
	"time"

	"github.com/cachemesh/cachemesh/mesh"
)

// memberSpec says what a member's process is to be.
type memberSpec struct {
	ID        string
	URL       string        // of the NATS servers, separated by commas
	Origin    string        // the origin's socket
	Heartbeat time.Duration // the lease is mesh's default
	TTL       time.Duration // of values, without jitter
	Epoch     time.Duration // of the clock
	Quorum    int           // fence mode where above 0
	Limit     time.Duration // the process ends itself after this
}

// order is what the driver wants a member to do.
type order struct {
	Number  uint64 // names the answer
	Do      string // one of the do constants
	Keys    []string
	Every   time.Duration
	Timeout time.Duration
	N       int
}

const (
	doRead       = "read"       // begin to read random Keys, one Every, each within Timeout; no keys: end
	doInvalidate = "invalidate" // the same for invalidations
	doFill       = "fill"       // read all Keys once
	doOwners     = "owners"     // tell who owns Keys
	doStorm      = "storm"      // invalidate Keys from N callers for Timeout, as fast as it goes; Every above 0: one after the other, at that pace
	doChurn      = "churn"      // join and leave N times
	doMeasure    = "measure"    // tell what the process holds
	doLimit      = "limit"      // make the mesh's subscriptions hold N messages
	doLeave      = "leave"      // leave in good order, and end
)

// report is what a member tells the driver; one or more of its fields are set.
type report struct {
	Reads  []read
	Seen   time.Duration // when the members were last looked at
	View   *view
	Begun  *invalidation // without an end
	Ended  *invalidation
	Answer *answer
}

// read is one Get that has ended.
type read struct {
	Key                  string
	Start, End, Deadline time.Duration
	Load                 uint64 // that made the value
	Source               mesh.Source
	Err                  string
}

// view is whom a member counts.
type view struct {
	From    time.Duration // the first time that they were seen
	Before  time.Duration // the last time that others were seen
	Members []string      // by ID
}

// invalidation is one Invalidate.
type invalidation struct {
	Number     uint64 // of the member's
	Keys       []string
	Start, End time.Duration
	Counted    []string // when it returned; after a partial one also when it was called
	Missing    []string // that have not confirmed, after a partial one
	Partial    bool
	Err        string
}

// answer is what comes of an order.
type answer struct {
	Number  uint64
	Err     string
	Owners  map[string]string // of doOwners
	Took    []time.Duration   // of doStorm
	Failed  int               // of doStorm and doChurn
	Holds   holding           // of doMeasure and doChurn, after
	Before  holding           // of doChurn
	Dropped int               // of doMeasure: messages that NATS has dropped
	Drops   uint64            // of doMeasure: times that the mesh dropped everything
}

// holding is what a process holds of what could leak.
type holding struct {
	Goroutines, Descriptors, Subscriptions int
	Heap                                   uint64
}

const valueHead = 3 * 8

// valueOf is what the origin answers: which load it was, when that began, and the how manyth of its key.
func valueOf(load uint64, began time.Duration, version uint64, key string) []byte {
	b := make([]byte, 0, valueHead+len(key))
	b = binary.BigEndian.AppendUint64(b, load)
	b = binary.BigEndian.AppendUint64(b, uint64(began))
	b = binary.BigEndian.AppendUint64(b, version)
	return append(b, key...)
}

// loadOf is the number of the load that made the value of key; 0 where nothing of the kind made it.
func loadOf(value []byte, key string) uint64 {
	if len(value) < valueHead || string(value[valueHead:]) != key {
		return 0
	}
	return binary.BigEndian.Uint64(value)
}
