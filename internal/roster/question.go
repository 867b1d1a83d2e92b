package roster

import (
	"math"
	"time"
)

// knows is up to where the peer has surely applied what a source has issued: what it has
// issued itself, what its heartbeats show, and of our own what it has confirmed.
func (r *Roster) knows(p *peer, s *source) uint64 {
	switch {
	case p == nil:
		return 0
	case s.Instance == p.Instance:
		return math.MaxUint64
	case s.Instance == r.self:
		return max(p.shown[s.Instance], p.acked.prefix)
	}
	return p.shown[s.Instance]
}

// unknown is the position in the log before which the peer knows everything.
func (r *Roster) unknown(p *peer) uint64 {
	if p == nil {
		return 0
	}
	p.passed = r.log.skip(p.passed, func(rec *record) bool { return rec.n <= r.knows(p, rec.src) })
	return p.passed
}

// lacks reports whether something applied here is not known to have been applied by the peer.
func (r *Roster) lacks(p *peer) bool {
	if p.lagAt == r.changes {
		return p.lags
	}
	p.lagAt, p.lags = r.changes, false
	for _, s := range r.sourceOrder {
		if s.top() > r.knows(p, s) {
			p.lags = true
			break
		}
	}
	return p.lags
}

// AllShown reports whether a question to the instance has nothing to carry,
// whatever its keys.
func (r *Roster) AllShown(to Instance) bool {
	if r.cfg.Ablation.CarryNothing {
		return true
	}
	p := r.remote(to)
	return p != nil && !r.lacks(p) || p == nil && len(r.sourceOrder) == 0
}

// mostCarried is how many records travel with questions at most.
const mostCarried = 8192

// mostCompared is with how many others a record is compared, to be left out if it says the same.
const mostCompared = 64

// carriedSize is the most that a record takes in a message.
func carriedSize(i *Invalidation) int { return len(i.Source.ID) + len(i.Cache) + len(i.Key) + 48 }

// CarryTo is rule R3: what a question to the instance, that which Known names, must take
// along. keys are the questions' keys, as ByKey targets. Where records would take more than
// room bytes they stay behind: their numbers alone travel, as bases, and a member that has not
// applied them yet has to drop everything.
func (r *Roster) CarryTo(to Instance, keys []Target, room int) Carry {
	var c Carry
	if r.AllShown(to) {
		return c
	}
	p := r.remote(to)
	for _, s := range r.sourceOrder {
		if s.base > r.knows(p, s) && r.matters(s) {
			c.Bases = append(c.Bases, Applied{Source: s.Instance, Upto: s.base, Age: time.Duration(r.now - s.changed)})
		}
	}
	// Of what a source has said of one target the last record does for all: the
	// log holds them in their order.
	from := 0
	add := func(rec *record) {
		if room < 0 || rec.n <= r.knows(p, rec.src) {
			return
		}
		i := Invalidation{Source: rec.src.Instance, N: rec.n, Target: rec.Target}
		for k := max(from, len(c.Records)-mostCompared); k < len(c.Records); k++ {
			if old := &c.Records[k]; old.Source == i.Source && old.Target == i.Target {
				old.N = max(old.N, i.N)
				return
			}
		}
		if room -= carriedSize(&i); len(c.Records) == mostCarried {
			room = -1
		}
		c.Records = append(c.Records, i)
	}
	start, caches := r.unknown(p), map[string]bool{}
	for _, k := range keys {
		if k.Kind == ByKey {
			from = len(c.Records)
			r.log.each(r.log.keys[k], start, add)
		}
		if !caches[k.Cache] {
			caches[k.Cache] = true
			from = len(c.Records)
			r.log.each(r.log.wide[k.Cache], start, add)
		}
	}
	if room < 0 {
		return Carry{Bases: r.numbersBeyond(p)}
	}
	return c
}

// numbersBeyond is all that is applied here and not known there, without what it is.
func (r *Roster) numbersBeyond(p *peer) (bases []Applied) {
	for _, s := range r.sourceOrder {
		if top := s.top(); top > r.knows(p, s) && r.matters(s) {
			bases = append(bases, Applied{Source: s.Instance, Upto: top, Age: time.Duration(r.now - s.changed)})
		}
	}
	return bases
}

// Take applies what a question carried, before the question is answered.
func (r *Roster) Take(now int64, c Carry) Effects {
	r.begin(now)
	r.raise(c.Bases)
	for _, i := range c.Records {
		if i.Source.Inc != 0 {
			r.apply(i)
		}
	}
	return r.finish()
}
