package wire

import (
	"math"
	"math/rand/v2"
)

// random makes valid messages that differ in everything that may differ: which
// fields are zero, how long the integers and strings are.
type random struct{ *rand.Rand }

func newRandom(seed uint64) random { return random{rand.New(rand.NewPCG(seed, 1))} }

func (r random) maybe() bool { return r.IntN(3) > 0 }

func (r random) uint() uint64 {
	if r.IntN(8) == 0 {
		return math.MaxUint64
	}
	return r.Uint64() >> r.IntN(64)
}

func (r random) positive() uint64 { return max(1, r.uint()) }

func (r random) age() int64 {
	if !r.maybe() {
		return 0
	}
	return int64(r.uint() >> 1)
}

func (r random) life() int64 { return int64(r.uint()) }

func (r random) token() string {
	const ok = "ABCXYZabcxyz0189_-"
	b := make([]byte, 1+r.IntN(MaxToken))
	for i := range b {
		b[i] = ok[r.IntN(len(ok))]
	}
	return string(b)
}

// bytes are any bytes, invalid UTF-8 and NUL among them.
func (r random) bytes(most int) []byte {
	b := make([]byte, 1+r.IntN(min(most, 1+1<<r.IntN(10))))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func (r random) instance() Instance { return Instance{ID: r.token(), Inc: r.positive()} }

func (r random) text() string {
	if !r.maybe() {
		return ""
	}
	return string(r.bytes(MaxTraceBytes))
}

func list[T any](r random, f func() T) []T {
	if !r.maybe() {
		return nil
	}
	l := make([]T, 1+r.IntN(30))
	for i := range l {
		l[i] = f()
	}
	return l
}

func (r random) applied() Applied {
	return Applied{Source: r.instance(), Upto: r.uint(), Age: r.age()}
}

func (r random) record() Invalidation {
	m := Invalidation{Source: r.instance(), N: r.positive(), Cache: r.token(), Kind: uint8(1 + r.IntN(3))}
	if m.Kind != All {
		m.Key = r.bytes(MaxKeyBytes)
	}
	return m
}

func (r random) beat() *Beat {
	return &Beat{
		Inc: r.positive(), Nonce: r.uint(), Seq: r.uint(), Heartbeat: 1 + r.age()/2, Lease: 1 + r.age()/2,
		Weight: r.IntN(MaxWeight + 1), Reader: r.maybe(), Version: r.text(), Hash: uint8(r.uint()), Joined: r.maybe(),
		Leaving: r.maybe(), For: r.age(), Life: r.life(), Tenure: r.age(),
		Quorum: r.IntN(MaxPeers + 1), Seasoned: r.maybe(), Fenced: r.maybe(), Partial: r.maybe(), Asks: r.maybe(),
		Caches:  list(r, func() CacheState { return CacheState{Name: r.token(), Owned: r.maybe(), For: r.age()} }),
		Peers:   list(r, func() PeerState { return PeerState{r.instance(), r.uint(), r.maybe(), r.maybe(), r.maybe()} }),
		Applied: list(r, r.applied),
	}
}

func (r random) ask() *Ask {
	a := &Ask{Inc: r.positive(), To: r.positive(), Batch: r.uint(), Bases: list(r, r.applied), Records: list(r, r.record)}
	for range 1 + r.IntN(300) {
		a.Caches = append(a.Caches, r.token())
	}
	a.Questions = list(r, func() Question {
		return Question{
			Number: r.positive(), Kind: Asked(1 + r.IntN(5)), Cache: r.IntN(len(a.Caches)), Key: r.bytes(MaxKeyBytes),
			Left: r.age(), RuledOut: list(r, r.token), Flags: uint8(r.uint()), MaxAge: r.age(), Reads: uint32(r.uint()),
			Transfer: r.uint(), Offset: r.age(), Length: r.age(), Trace: r.text(),
		}
	})
	return a
}

// answer returns an answer and its values, one for each result.
func (r random) answer() (*Answer, [][]byte) {
	a := &Answer{Inc: r.positive(), To: r.positive(), Batch: r.uint(), Flags: uint8(r.uint())}
	var values [][]byte
	a.Results = list(r, func() Result {
		var value []byte
		if r.maybe() {
			value = r.bytes(100_000)
		}
		values = append(values, value)
		s := Result{
			Number: r.positive(), Status: Status(1 + r.IntN(int(Pulled))), Length: int64(len(value)), Age: r.age(),
			Life: r.life(), Spent: r.age(), Flags: uint8(r.uint()), Error: r.text(), ETag: r.text(), Version: r.uint(),
			Tags: list(r, func() string { return string(r.bytes(MaxKeyBytes)) }), Transfer: r.uint(), Size: r.age(),
		}
		if r.maybe() {
			s.Instead, s.Owner = r.token(), r.token()
		}
		return s
	})
	return a, values
}

// messages returns one of each type; the answer has no values.
func (r random) messages() []message {
	a, _ := r.answer()
	for i := range a.Results {
		a.Results[i].Length = 0
	}
	return []message{
		r.beat(),
		&Told{Inc: r.positive(), Records: list(r, r.record)},
		&Confirm{Inc: r.positive(), To: r.instance(), Upto: r.uint(), Also: list(r, r.uint), Crowd: r.uint()},
		&Want{Inc: r.positive(), To: r.instance(), Have: list(r, r.applied)},
		&Tail{Inc: r.positive(), To: r.instance(), Bases: list(r, r.applied), Records: list(r, r.record)},
		&Gone{Inc: r.positive()},
		&Taken{ID: r.token(), Nonce: r.uint()},
		r.ask(),
		a,
	}
}
