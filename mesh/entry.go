package mesh

import "time"

// Source says where the value of an Entry came from.
type Source uint8

const (
	// Local: from memory that this member owns.
	Local Source = 1 + iota
	// Replica: from a replica of another owner's value, held here.
	Replica
	// Owner: from the owner's memory.
	Owner
	// Loaded: by a load, here or at the owner.
	Loaded
	// Bypass: by a load whose value nobody keeps.
	Bypass
)

func (s Source) String() string {
	switch s {
	case Local:
		return "local"
	case Replica:
		return "replica"
	case Owner:
		return "owner"
	case Loaded:
		return "loaded"
	case Bypass:
		return "bypass"
	}
	return "unknown"
}

// Entry is a value with what is known of it. Value and Tags are shared with
// other readers: they are read and not changed.
type Entry[V any] struct {
	Key     string
	Value   V
	Source  Source
	Owner   string        // ID of the member that owned it when it was answered
	Age     time.Duration // since its load began
	TTL     time.Duration // life left; NoExpiry; negative past its end
	Stale   bool          // from memory, and past its TTL, if only since it was asked for; what a load has just brought is never stale
	ETag    string        // the origin's
	Version uint64        // the origin's
	Tags    []string
}

// readOptions is what the ReadOptions of one call come to.
type readOptions struct {
	fresh      bool
	cachedOnly bool
	maxAge     time.Duration // 0: any

	began    int64       // when the read began; 0: now
	nothing  bool        // memory has just been looked into, and has nothing for the key
	held     *storeValue // what memory had for the key, and could not answer with
	isolated bool        // cut off for too long: memory is not to be used
	bypass   bool        // no quorum is heard: nobody is asked, and nothing kept
	trace    string      // the caller's traceparent, where somebody traces
}

// tooOld reports whether v is older at now than the read allows. What was loaded
// for the read is not, however long that took.
func (o *readOptions) tooOld(v *storeValue, now int64) bool {
	return o.maxAge > 0 && now-v.Began > int64(o.maxAge) && (o.began == 0 || v.Began < o.began)
}

// ReadOption changes one read.
type ReadOption struct{ apply func(*readOptions) }

// Fresh asks for a value whose load begins after the call.
func Fresh() ReadOption { return ReadOption{func(o *readOptions) { o.fresh = true }} }

// CachedOnly asks the owner too, but loads nothing: ErrNotCached when nobody
// holds the value.
func CachedOnly() ReadOption { return ReadOption{func(o *readOptions) { o.cachedOnly = true }} }

// MaxAge asks for a value whose load began no longer than d ago; d at or below
// 0 is Fresh.
func MaxAge(d time.Duration) ReadOption {
	return ReadOption{func(o *readOptions) {
		if d <= 0 {
			o.fresh = true
			return
		}
		d = max(d, time.Microsecond) // the unit of the wire
		if o.maxAge == 0 || d < o.maxAge {
			o.maxAge = d
		}
	}}
}
