package roster

import "time"

// lacks reports whether something applied here has not been shown by the peer.
func (r *Roster) lacks(p *peer) bool {
	if p.lagAt == r.changes {
		return p.lags
	}
	p.lagAt, p.lags = r.changes, false
	for _, s := range r.sourceOrder {
		if s.top() > p.shown[s.Instance] {
			p.lags = true
			break
		}
	}
	return p.lags
}

// AllShown reports whether a question to the member has nothing to carry,
// whatever its keys.
func (r *Roster) AllShown(id string) bool {
	if r.cfg.Ablation.CarryNothing {
		return true
	}
	p := r.peers[id]
	return p != nil && !r.lacks(p) || p == nil && len(r.sourceOrder) == 0
}

// mostCarried is how many records travel with questions at most.
const mostCarried = 8192

// mostCompared is with how many others a record is compared, to be left out if it says the same.
const mostCompared = 64

// carriedSize is the most that a record takes in a message.
func carriedSize(i *Invalidation) int { return len(i.Source.ID) + len(i.Cache) + len(i.Key) + 48 }

// CarryTo is rule R3: what a question to the member must take along. It is about
// the instance that Known names. keys are the questions' keys, as ByKey targets. Where records
// would take more than room bytes they stay behind: their numbers alone travel, as bases, and only
// a member that has not applied them yet, which Invalidate has not waited for, has to drop everything.
func (r *Roster) CarryTo(id string, keys []Target, room int) Carry {
	var c Carry
	if r.AllShown(id) {
		return c
	}
	var shown map[Instance]uint64
	if p := r.peers[id]; p != nil {
		shown = p.shown
	}
	for _, s := range r.sourceOrder {
		if s.base > shown[s.Instance] && r.matters(s) {
			c.Bases = append(c.Bases, Applied{Source: s.Instance, Upto: s.base, Age: time.Duration(r.now - s.changed)})
		}
	}
	// Of what a source has said of one target the last record does for all: the
	// log holds them in their order.
	from := 0
	add := func(rec *record) {
		if rec.n <= shown[rec.src.Instance] || room < 0 {
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
	caches := map[string]bool{}
	for _, k := range keys {
		if k.Kind == ByKey {
			from = len(c.Records)
			r.log.each(r.log.keys[k], add)
		}
		if !caches[k.Cache] {
			caches[k.Cache] = true
			from = len(c.Records)
			r.log.each(r.log.wide[k.Cache], add)
		}
	}
	if room < 0 {
		return Carry{Bases: r.numbersBeyond(shown)}
	}
	return c
}

// numbersBeyond is all that is applied here and not shown, without what it is.
func (r *Roster) numbersBeyond(shown map[Instance]uint64) (bases []Applied) {
	for _, s := range r.sourceOrder {
		if top := s.top(); top > shown[s.Instance] && r.matters(s) {
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
