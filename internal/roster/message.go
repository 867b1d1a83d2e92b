package roster

import "time"

// Instance is one incarnation of a member. A restart under the same ID is
// another instance: what one has applied says nothing about the other.
type Instance struct {
	ID  string
	Inc uint64 // grows with each incarnation of the ID; never 0 for a real instance
}

// Kind says what an invalidation is about.
type Kind uint8

const (
	ByKey Kind = 1 + iota // the values and flights of one key of one cache
	ByTag                 // all of one cache that carry a tag
	All                   // all of one cache
)

// Target is what an invalidation drops.
type Target struct {
	Cache string
	Kind  Kind
	Key   string // the key, the tag, or "" for All
}

// Invalidation is one record: numbered by its source, from 1, without gaps.
type Invalidation struct {
	Source Instance
	N      uint64
	Target
}

// Applied tells how much of a source's invalidations somebody has applied:
// every one up to and including Upto.
type Applied struct {
	Source Instance
	Upto   uint64
	Age    time.Duration // since the teller last applied something new of this source
}

// CacheState is one cache that a member has opened.
type CacheState struct {
	Name  string
	Owned bool          // its opening has been confirmed: the member answers for its share of the keys
	For   time.Duration // since it has been Owned
}

// PeerState is what a heartbeat says of another member.
type PeerState struct {
	Instance
	Seen   uint64 // the latest heartbeat of that member that the sender has seen: the echo
	Waits  bool   // the sender's invalidations wait for it
	Counts bool   // and the sender has compared with it what both applied
	Grants bool   // fence mode: they wait for it until a lease after it sent the heartbeat Seen
}

// Message is what members tell each other. Body is one of *Beat, *Told,
// *Confirm, *Want, *Tail, *Gone, *Taken.
type Message struct {
	To   string // the receiver's ID; "" for all members
	Body any
}

// Beat is the heartbeat: everything about its sender that others decide by.
type Beat struct {
	From      Instance
	Nonce     uint64 // tells two processes apart that use one ID; random, fixed for the process
	Seq       uint64 // counts the sender's heartbeats, from 1
	Heartbeat time.Duration
	Lease     time.Duration
	Weight    int
	Reader    bool
	Version   string
	Hash      uint8 // the version of the hash that picks owners
	Joined    bool  // Join has returned
	Leaving   bool
	For       time.Duration // since Join has returned; before: since Join was called
	Tenure    time.Duration // since Join first returned in this process, whatever its incarnation; 0: it never has
	Quorum    int           // the sender's Config.Quorum
	Seasoned  bool          // fence mode: this incarnation has run for a lease
	Fenced    bool          // fence mode: the sender cannot hear a quorum, and owns nothing
	Life      time.Duration // the longest that a value of the sender's may live; <0: for ever
	Caches    []CacheState
	Peers     []PeerState
	Applied   []Applied
	// Partial: in a large mesh, Peers and Applied leave out what is not new to the
	// receiver. Of others than the receiver, Peers names whom a joiner misses.
	Partial bool
	Asks    bool // and the receiver is to answer at once
}

// Told carries invalidations to all members, or again to one of them.
type Told struct {
	From    Instance
	Records []Invalidation // all of From, ascending, not always without gaps
}

// Confirm answers Told: its records have been applied.
type Confirm struct {
	From Instance // who has applied
	To   Instance // who issued them
	Upto uint64   // every record of To up to this one is applied
	Also []uint64 // and these
	// Crowd, in fence mode, is a fingerprint of those whom the sender's own
	// invalidations wait for, itself included. 0: not told.
	Crowd uint64
}

// Want asks for the log above what the sender has applied.
type Want struct {
	From, To Instance
	Have     []Applied
}

// Tail answers Want, in as many messages as it takes.
type Tail struct {
	From, To Instance
	Bases    []Applied // what the log no longer holds: whoever has less of it drops everything
	Records  []Invalidation
}

// Gone is a leaver's last word.
type Gone struct {
	From Instance
}

// Taken tells a joiner that a live member uses its ID already.
type Taken struct {
	ID    string
	Nonce uint64 // of the joiner that is refused
}
