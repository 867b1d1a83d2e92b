package store

import "sync/atomic"

// Value is one kept value, and what the store knows of it: nothing stands between the index
// and the value, so that a hit reads as few places in memory as can be. It is immutable
// once it has been handed to Keep or Replace, apart from its atomic fields, and is
// handed over once: what is to be kept again is a new Value. Callers of Get share it. The
// budget counts len(Data): a Data that is a part of a larger array keeps the whole array alive.
type Value struct {
	// All that a hit reads comes first, in one cache line.

	id    uint64        // a second hash of the key
	state atomic.Uint32 // see handed
	uses  atomic.Uint32 // reads since the queue last looked, up to enough
	valid atomic.Uint64 // the epoch up to which it is known not to have been dropped; at first that in which its fill began
	plain int64         // until then Fresh returns it
	View  atomic.Uint64 // the view under which the host last judged whether it owns the key
	Data  []byte        // the value as it travels; shared, never changed

	decoded  atomic.Pointer[any] // what Data decodes to, so that it is decoded once
	Until    int64               // kept until then; Get never returns the value from then on
	Refresh  int64               // from then on a read is the host's cue to renew the value
	Expires  int64               // fresh until then; math.MaxInt64 means for ever
	Began    int64               // when its load began, on the host's monotonic clock, in ns
	Heat     atomic.Uint64       // how often others ask for the key; the host's to count
	Origin   *Origin             // what its origin said of it; nil: nothing
	Replica  bool                // counted as a replica
	NotFound bool                // a remembered absence
	guest    bool                // charged to the budget for replicas, whatever it is by now
	place    place               // guarded by the segment's mutex
	Reads    atomic.Uint32       // reads of a replica; the host's to count

	key     string
	Owner   string       // the member that gave the value
	Renewal atomic.Int64 // what is to be known of the load that renews it; the host's
	Cost    int64        // bytes charged beside key and overhead; 0 means len(Data)

	prev, next *Value // in its queue; guarded by the segment's mutex
}

// hand makes v the store's, as the value of key, and reports whether that could be.
func (v *Value) hand(key string, id, valid uint64) bool {
	flags := uint32(handed)
	if v.Replica {
		flags |= asReplica
	}
	if len(v.Tags()) > 0 {
		flags |= tagged
	}
	if !v.set(handed) {
		return false
	}
	v.state.Or(flags)
	v.key, v.id, v.guest = key, id, v.Replica
	v.valid.Store(valid)
	if !v.NotFound {
		v.plain = min(v.Until, v.Refresh)
	}
	return true
}

// IsReplica is Replica for a value that is kept: a hit reads no more of memory for it.
func (v *Value) IsReplica() bool { return v.is(asReplica) }

// Origin is what an origin says of a value beside its bytes. It is never changed.
type Origin struct {
	ETag    string // the validator, for conditional loads
	Version uint64 // the origin's own version; 0 means that it has none
	Tags    []string
}

// OriginOf gives the Origin for what a load has told: nil where that is nothing.
func OriginOf(etag string, version uint64, tags []string) *Origin {
	if etag == "" && version == 0 && len(tags) == 0 {
		return nil
	}
	return &Origin{ETag: etag, Version: version, Tags: tags}
}

// ETag returns the origin's validator, "" if it has given none.
func (v *Value) ETag() string {
	if v.Origin == nil {
		return ""
	}
	return v.Origin.ETag
}

// Version returns the origin's own version, 0 if it has given none.
func (v *Value) Version() uint64 {
	if v.Origin == nil {
		return 0
	}
	return v.Origin.Version
}

// Tags returns the origin's tags. The caller does not change them.
func (v *Value) Tags() []string {
	if v.Origin == nil {
		return nil
	}
	return v.Origin.Tags
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

// Flags of Value.state. The first two are for hits: Replica, and whether there are Tags.
const (
	asReplica = 1 << iota
	tagged
	handed // to Keep or Replace
	dead   // nobody finds it any more
	out    // taken out of the index
)

func (v *Value) is(flag uint32) bool { return v.state.Load()&flag != 0 }

// set reports whether that has changed anything.
func (v *Value) set(flag uint32) bool { return v.state.Or(flag)&flag == 0 }

// enough is where the uses of a value are no longer counted: so a value that is read all
// the time is a place in memory that nobody writes.
const enough = 3

// use notes a read. Of two at once one may be lost.
func (v *Value) use() {
	if n := v.uses.Load(); n < enough {
		v.uses.Store(n + 1)
	}
}

// payload returns the bytes charged for the value itself.
func (v *Value) payload() int64 {
	if v.Cost > 0 {
		return v.Cost
	}
	return int64(len(v.Data))
}

// overhead is charged for a value beside its key and data. It is what measurement
// shows: the Value, its slot in the index, its share of the ghosts, what size classes round up.
const overhead = 240

// charge returns what v costs under key.
func charge(key string, v *Value) int64 {
	n := int64(len(key)) + v.payload() + overhead
	if o := v.Origin; o != nil {
		n += int64(len(o.ETag)) + 48
		for _, t := range o.Tags {
			n += int64(len(t)) + 16
		}
	}
	return n
}
