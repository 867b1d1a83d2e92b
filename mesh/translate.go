package mesh

import (
	"time"

	"github.com/cachemesh/cachemesh/internal/roster"
	"github.com/cachemesh/cachemesh/internal/wire"
)

// The roster does not know the wire, nor the wire the roster: this file maps
// the messages of the one to those of the other, field by field.

func wireInstance(i roster.Instance) wire.Instance { return wire.Instance{ID: i.ID, Inc: i.Inc} }
func fromInstance(i wire.Instance) roster.Instance { return roster.Instance{ID: i.ID, Inc: i.Inc} }

// each maps a slice; nil stays nil.
func each[A, B any](in []A, f func(A) B) []B {
	if len(in) == 0 {
		return nil
	}
	out := make([]B, len(in))
	for i, a := range in {
		out[i] = f(a)
	}
	return out
}

func wireRecord(i roster.Invalidation) wire.Invalidation {
	return wire.Invalidation{Source: wireInstance(i.Source), N: i.N, Cache: i.Cache, Kind: uint8(i.Kind), Key: []byte(i.Key)}
}

func fromRecord(i wire.Invalidation) roster.Invalidation {
	return roster.Invalidation{
		Source: fromInstance(i.Source), N: i.N,
		Target: roster.Target{Cache: i.Cache, Kind: roster.Kind(i.Kind), Key: string(i.Key)},
	}
}

func wireApplied(a roster.Applied) wire.Applied {
	return wire.Applied{Source: wireInstance(a.Source), Upto: a.Upto, Age: micros(a.Age)}
}

func fromApplied(a wire.Applied) roster.Applied {
	return roster.Applied{Source: fromInstance(a.Source), Upto: a.Upto, Age: fromMicros(a.Age)}
}

func wireCarry(c roster.Carry) ([]wire.Applied, []wire.Invalidation) {
	return each(c.Bases, wireApplied), each(c.Records, wireRecord)
}

func fromCarry(bases []wire.Applied, records []wire.Invalidation) roster.Carry {
	return roster.Carry{Bases: each(bases, fromApplied), Records: each(records, fromRecord)}
}

// toWire maps a body of the roster to its message.
func toWire(body any) any {
	switch b := body.(type) {
	case *roster.Beat:
		return &wire.Beat{
			Inc: b.From.Inc, Nonce: b.Nonce, Seq: b.Seq,
			Heartbeat: micros(b.Heartbeat), Lease: micros(b.Lease),
			Weight: b.Weight, Reader: b.Reader, Version: b.Version, Hash: b.Hash,
			Joined: b.Joined, Leaving: b.Leaving, For: micros(b.For), Tenure: micros(b.Tenure), Life: lifeToWire(b.Life),
			Quorum: b.Quorum, Seasoned: b.Seasoned, Fenced: b.Fenced, Partial: b.Partial, Asks: b.Asks,
			Caches: each(b.Caches, func(c roster.CacheState) wire.CacheState {
				return wire.CacheState{Name: c.Name, Owned: c.Owned, For: micros(c.For)}
			}),
			Peers: each(b.Peers, func(p roster.PeerState) wire.PeerState {
				return wire.PeerState{Instance: wireInstance(p.Instance), Seen: p.Seen, Waits: p.Waits, Counts: p.Counts, Grants: p.Grants}
			}),
			Applied: each(b.Applied, wireApplied),
		}
	case *roster.Told:
		return &wire.Told{Inc: b.From.Inc, Records: each(b.Records, wireRecord)}
	case *roster.Confirm:
		return &wire.Confirm{Inc: b.From.Inc, To: wireInstance(b.To), Upto: b.Upto, Also: b.Also, Crowd: b.Crowd}
	case *roster.Want:
		return &wire.Want{Inc: b.From.Inc, To: wireInstance(b.To), Have: each(b.Have, wireApplied)}
	case *roster.Tail:
		return &wire.Tail{
			Inc: b.From.Inc, To: wireInstance(b.To),
			Bases: each(b.Bases, wireApplied), Records: each(b.Records, wireRecord),
		}
	case *roster.Gone:
		return &wire.Gone{Inc: b.From.Inc}
	case *roster.Taken:
		return &wire.Taken{ID: b.ID, Nonce: b.Nonce}
	}
	return nil
}

// fromWire maps a message of sender to a body of the roster; nil if it is none.
func fromWire(sender string, msg any) any {
	from := func(inc uint64) roster.Instance { return roster.Instance{ID: sender, Inc: inc} }
	switch b := msg.(type) {
	case *wire.Beat:
		return &roster.Beat{
			From: from(b.Inc), Nonce: b.Nonce, Seq: b.Seq,
			Heartbeat: fromMicros(b.Heartbeat), Lease: fromMicros(b.Lease),
			Weight: b.Weight, Reader: b.Reader, Version: b.Version, Hash: b.Hash,
			Joined: b.Joined, Leaving: b.Leaving, For: fromMicros(b.For), Tenure: fromMicros(b.Tenure), Life: lifeFromWire(b.Life),
			Quorum: b.Quorum, Seasoned: b.Seasoned, Fenced: b.Fenced, Partial: b.Partial, Asks: b.Asks,
			Caches: each(b.Caches, func(c wire.CacheState) roster.CacheState {
				return roster.CacheState{Name: c.Name, Owned: c.Owned, For: fromMicros(c.For)}
			}),
			Peers: each(b.Peers, func(p wire.PeerState) roster.PeerState {
				return roster.PeerState{Instance: fromInstance(p.Instance), Seen: p.Seen, Waits: p.Waits, Counts: p.Counts, Grants: p.Grants}
			}),
			Applied: each(b.Applied, fromApplied),
		}
	case *wire.Told:
		return &roster.Told{From: from(b.Inc), Records: each(b.Records, fromRecord)}
	case *wire.Confirm:
		return &roster.Confirm{From: from(b.Inc), To: fromInstance(b.To), Upto: b.Upto, Also: b.Also, Crowd: b.Crowd}
	case *wire.Want:
		return &roster.Want{From: from(b.Inc), To: fromInstance(b.To), Have: each(b.Have, fromApplied)}
	case *wire.Tail:
		return &roster.Tail{
			From: from(b.Inc), To: fromInstance(b.To),
			Bases: each(b.Bases, fromApplied), Records: each(b.Records, fromRecord),
		}
	case *wire.Gone:
		return &roster.Gone{From: from(b.Inc)}
	case *wire.Taken:
		return &roster.Taken{ID: b.ID, Nonce: b.Nonce}
	}
	return nil
}

func lifeToWire(d time.Duration) int64 {
	if d < 0 {
		return -1
	}
	return micros(d)
}

func lifeFromWire(us int64) time.Duration {
	if us < 0 {
		return -1
	}
	return fromMicros(us)
}
