package wire

import "strconv"

// Asked says what a question wants.
type Asked uint8

const (
	AskGet      Asked = 1 + iota // the value, as its owner gives it: from memory, or by a load
	AskTakeOver                  // what is held or being loaded: the asker has come to own the key
	AskPull                      // the receiver is to take the key over from the asker (hand-over, Set)
	AskChunk                     // a piece of a value too large for one message
	AskCancel                    // nobody waits for the question of this number any more; not answered
)

var askedNames = [...]string{AskGet: "get", AskTakeOver: "take-over", AskPull: "pull", AskChunk: "chunk", AskCancel: "cancel"}

// String returns a word for logs.
func (k Asked) String() string {
	if k == 0 || int(k) >= len(askedNames) {
		return "asked(" + strconv.Itoa(int(k)) + ")"
	}
	return askedNames[k]
}

// Flags of a question.
const (
	FlagFresh      uint8 = 1 << iota // load again
	FlagCachedOnly                   // load nothing
	FlagOwner                        // AskTakeOver: the asker's view says that it owns the key
)

// Ask is a batch of questions to one member. What it carries of invalidations
// is applied by the receiver before it answers any of them.
type Ask struct {
	Inc       uint64         `cbor:"1,keyasint"`           // the asker's incarnation
	To        uint64         `cbor:"2,keyasint"`           // the incarnation that is meant; 0: whoever uses the ID
	Batch     uint64         `cbor:"3,keyasint"`           // numbers the asker's batches to this member
	Caches    []string       `cbor:"4,keyasint,omitempty"` // that the questions refer to by index
	Questions []Question     `cbor:"5,keyasint,omitempty"`
	Bases     []Applied      `cbor:"6,keyasint,omitempty"`
	Records   []Invalidation `cbor:"7,keyasint,omitempty"`
}

// Question is one question. Durations are in microseconds and never negative.
// A decoded Key aliases the message. AskChunk and AskCancel need neither Cache
// nor Key.
type Question struct {
	Number   uint64   `cbor:"1,keyasint"` // from 1; unique for the asking instance; a repetition keeps it
	Kind     Asked    `cbor:"2,keyasint"`
	Cache    int      `cbor:"3,keyasint,omitempty"` // index into Ask.Caches
	Key      []byte   `cbor:"4,keyasint,omitempty"`
	Left     int64    `cbor:"5,keyasint,omitempty"` // how long the asker will wait
	RuledOut []string `cbor:"6,keyasint,omitempty"` // members that the asker cannot reach
	Flags    uint8    `cbor:"7,keyasint,omitempty"`
	MaxAge   int64    `cbor:"8,keyasint,omitempty"`
	Reads    uint32   `cbor:"9,keyasint,omitempty"`  // how often the asker's replica was read since its last question
	Transfer uint64   `cbor:"10,keyasint,omitempty"` // AskChunk: which value
	Offset   int64    `cbor:"11,keyasint,omitempty"`
	Length   int64    `cbor:"12,keyasint,omitempty"`
	Trace    string   `cbor:"13,keyasint,omitempty"` // traceparent, when somebody traces
}

// Status is how a question was answered.
type Status uint8

const (
	Value      Status = 1 + iota // the value follows
	NotFound                     // the origin says that there is none
	Failed                       // the origin failed: Error
	NotMine                      // ask Instead
	Working                      // received; the answer comes later
	Nothing                      // take-over, CachedOnly: nothing held
	Overloaded                   // the load did not get its turn
	TooLarge                     // the value is over MaxValueBytes
	Chunked                      // the value is to be pulled: Transfer, Size; Transfer 0: asked for again, in another message
	Stranger                     // the receiver is another incarnation (Answer.Inc), or has not opened the cache, or no longer knows the transfer
	Pulled                       // AskPull is done
)

var statusNames = [...]string{
	Value: "value", NotFound: "not found", Failed: "failed", NotMine: "not mine", Working: "working",
	Nothing: "nothing", Overloaded: "overloaded", TooLarge: "too large", Chunked: "chunked",
	Stranger: "stranger", Pulled: "pulled",
}

// String returns a word or two for logs.
func (s Status) String() string {
	if s == 0 || int(s) >= len(statusNames) {
		return "status(" + strconv.Itoa(int(s)) + ")"
	}
	return statusNames[s]
}

// Flags of a result.
const (
	FlagHot    uint8 = 1 << iota // the asker may keep a replica
	FlagLoaded                   // by a load made for this question, not from memory
	FlagStale                    // past its TTL
	FlagNoKeep                   // not to be kept
	FlagLimit                    // Failed: the load timed out at LoadTimeout
	FlagQueued                   // Working: the load has not got its turn yet
	FlagBlank                    // Nothing, to a take-over: nothing that the asker owns was ever held
)

// Answer is one part of the answers to a batch. The values of its results
// follow it, one after the other, in the order of the results.
type Answer struct {
	Inc     uint64   `cbor:"1,keyasint"`           // the answerer's incarnation
	To      uint64   `cbor:"2,keyasint"`           // the asker's
	Batch   uint64   `cbor:"3,keyasint,omitempty"` // in the first part: the batch that has been received
	Results []Result `cbor:"4,keyasint,omitempty"`
	Flags   uint8    `cbor:"5,keyasint,omitempty"` // AnswerMore
}

// AnswerMore is a flag of an answer: another part follows at once, and a batch that is sent
// before that has come would be a small one.
const AnswerMore uint8 = 1

// Result is the answer to one question. Durations are in microseconds and,
// Life apart, never negative. Error, ETag and Tags hold any bytes.
type Result struct {
	Number   uint64   `cbor:"1,keyasint"`
	Status   Status   `cbor:"2,keyasint"`
	Length   int64    `cbor:"3,keyasint,omitempty"` // of the value's bytes in the payload
	Age      int64    `cbor:"4,keyasint,omitempty"` // since the load began
	Life     int64    `cbor:"5,keyasint,omitempty"` // left; negative when stale; math.MaxInt64: no expiry
	Spent    int64    `cbor:"6,keyasint,omitempty"` // between receipt of the question and this answer
	Flags    uint8    `cbor:"7,keyasint,omitempty"`
	Instead  string   `cbor:"8,keyasint,omitempty"` // NotMine
	Error    string   `cbor:"9,keyasint,omitempty"`
	ETag     string   `cbor:"10,keyasint,omitempty"`
	Version  uint64   `cbor:"11,keyasint,omitempty"`
	Tags     []string `cbor:"12,keyasint,omitempty"`
	Transfer uint64   `cbor:"13,keyasint,omitempty"` // Chunked
	Size     int64    `cbor:"14,keyasint,omitempty"` // Chunked: of the whole value
	Owner    string   `cbor:"15,keyasint,omitempty"` // who loaded it, if not the answerer
}
