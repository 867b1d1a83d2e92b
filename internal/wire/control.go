package wire

// Instance is a member's incarnation. The ID of a message's sender is not in
// its payload but in the subject; these name others, or the receiver.
type Instance struct {
	_   struct{} `cbor:",toarray"`
	ID  string
	Inc uint64
}

// What an Invalidation is about: its Kind.
const (
	ByKey uint8 = 1 + iota // one key of the cache
	ByTag                  // whatever carries a tag
	All                    // the whole cache; Key is empty
)

// Invalidation is one record of its source, numbered from 1. A decoded Key
// aliases the message.
type Invalidation struct {
	Source Instance `cbor:"1,keyasint"`
	N      uint64   `cbor:"2,keyasint"`
	Cache  string   `cbor:"3,keyasint"`
	Kind   uint8    `cbor:"4,keyasint"`
	Key    []byte   `cbor:"5,keyasint,omitempty"` // the key or tag, 1 to MaxKeyBytes
}

// Applied tells how far somebody has applied a source. Age in microseconds.
type Applied struct {
	Source Instance `cbor:"1,keyasint"`
	Upto   uint64   `cbor:"2,keyasint"`
	Age    int64    `cbor:"3,keyasint,omitempty"`
}

// CacheState is an opened cache of the sender. For in microseconds.
type CacheState struct {
	Name  string `cbor:"1,keyasint"`
	Owned bool   `cbor:"2,keyasint,omitempty"`
	For   int64  `cbor:"3,keyasint,omitempty"`
}

// PeerState is what a heartbeat says of another member.
type PeerState struct {
	Instance Instance `cbor:"1,keyasint"`
	Seen     uint64   `cbor:"2,keyasint,omitempty"`
	Waits    bool     `cbor:"3,keyasint,omitempty"`
	Counts   bool     `cbor:"4,keyasint,omitempty"`
	Grants   bool     `cbor:"5,keyasint,omitempty"` // fence mode
}

// Beat is the heartbeat. Durations are in microseconds: Heartbeat and Lease are
// positive, For is not negative, and a negative Life means for ever. Weight is
// at most MaxWeight.
type Beat struct {
	Inc       uint64       `cbor:"1,keyasint"` // the sender's incarnation
	Nonce     uint64       `cbor:"2,keyasint"`
	Seq       uint64       `cbor:"3,keyasint"`
	Heartbeat int64        `cbor:"4,keyasint"`
	Lease     int64        `cbor:"5,keyasint"`
	Weight    int          `cbor:"6,keyasint,omitempty"`
	Reader    bool         `cbor:"7,keyasint,omitempty"`
	Version   string       `cbor:"8,keyasint,omitempty"`
	Hash      uint8        `cbor:"9,keyasint"`
	Joined    bool         `cbor:"10,keyasint,omitempty"`
	Leaving   bool         `cbor:"11,keyasint,omitempty"`
	For       int64        `cbor:"12,keyasint,omitempty"`
	Life      int64        `cbor:"13,keyasint,omitempty"`
	Caches    []CacheState `cbor:"14,keyasint,omitempty"`
	Peers     []PeerState  `cbor:"15,keyasint,omitempty"`
	Applied   []Applied    `cbor:"16,keyasint,omitempty"`
	Tenure    int64        `cbor:"17,keyasint,omitempty"` // since the process first joined, in whatever incarnation
	Quorum    int          `cbor:"18,keyasint,omitempty"` // 0 is bounded mode; at most MaxPeers
	Seasoned  bool         `cbor:"19,keyasint,omitempty"`
	Fenced    bool         `cbor:"20,keyasint,omitempty"`
	Partial   bool         `cbor:"21,keyasint,omitempty"` // in a large mesh: Peers and Applied are what is new to the receiver
	Asks      bool         `cbor:"22,keyasint,omitempty"` // for an answer at once
}

// Told carries invalidations of the sender.
type Told struct {
	Inc     uint64         `cbor:"1,keyasint"`
	Records []Invalidation `cbor:"2,keyasint,omitempty"`
}

// Confirm answers Told.
type Confirm struct {
	Inc  uint64   `cbor:"1,keyasint"`
	To   Instance `cbor:"2,keyasint"`
	Upto uint64   `cbor:"3,keyasint,omitempty"`
	Also []uint64 `cbor:"4,keyasint,omitempty"`

	Crowd uint64 `cbor:"5,keyasint,omitempty"` // fingerprint of those whom the sender waits for
}

// Want asks for a part of the log.
type Want struct {
	Inc  uint64    `cbor:"1,keyasint"`
	To   Instance  `cbor:"2,keyasint"`
	Have []Applied `cbor:"3,keyasint,omitempty"`
}

// Tail answers Want.
type Tail struct {
	Inc     uint64         `cbor:"1,keyasint"`
	To      Instance       `cbor:"2,keyasint"`
	Bases   []Applied      `cbor:"3,keyasint,omitempty"`
	Records []Invalidation `cbor:"4,keyasint,omitempty"`
}

// Gone is a leaver's last word.
type Gone struct {
	Inc uint64 `cbor:"1,keyasint"`
}

// Taken refuses a joiner whose ID a live member uses.
type Taken struct {
	ID    string `cbor:"1,keyasint"`
	Nonce uint64 `cbor:"2,keyasint"`
}
