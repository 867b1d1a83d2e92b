package roster

import (
	"cmp"
	"slices"
)

// op is one call of Invalidate, until everybody who is waited for has confirmed
// all of its records or has been evicted.
type op struct {
	id          uint64
	first, last uint64 // its records, in our numbering
	targets     []Target
	told        int64    // when all were first told
	left        int      // peers that owe it
	missed      []string // those evicted while they did

	forgotten bool // nobody waits for its end
	parted    bool // somebody owed it when this member was displaced: it is issued anew when this one joins again

	lingers  bool       // fence mode: nobody owes it, and no quorum has agreed to it yet
	quorum   []Instance // those who have confirmed it since quorumAt, and have been heard
	quorumAt int64
}

// Invalidate is rule R2: apply at home, tell all, and tell those again who have
// not confirmed, until everyone waited for has. Effects.Done names the operation
// then, maybe at once. The caller's own promise, that it reads nothing older
// itself, holds from the moment the effects are carried out.
func (r *Roster) Invalidate(now int64, targets []Target) (id uint64, e Effects) {
	r.begin(now)
	r.opSeq++
	o := &op{id: r.opSeq, targets: targets}
	if len(targets) == 0 || r.over {
		r.out.Apply = append(r.out.Apply, targets...)
		r.out.Done = append(r.out.Done, o.id)
		return o.id, r.finish()
	}
	r.ops[o.id] = o
	r.issue(o)
	return o.id, r.finish()
}

// issue numbers the records of an operation, applies and tells them.
func (r *Roster) issue(o *op) {
	o.first, o.last, o.told, o.left, o.quorum = r.issued+1, r.issued+uint64(len(o.targets)), r.now, 0, nil
	o.parted = false
	r.issued = o.last
	records := make([]Invalidation, 0, len(o.targets))
	for i, t := range o.targets {
		inv := Invalidation{Source: r.self, N: o.first + uint64(i), Target: t}
		r.apply(inv)
		records = append(records, inv)
	}
	if !r.apart {
		r.tell("", records)
	}
	if !r.cfg.Ablation.WaitForNobody {
		for _, p := range r.order {
			if p.waits && !(r.cfg.Ablation.LeaverUncounted && p.leaving) {
				r.owe(p, o)
			}
		}
	}
	r.tryEnd(o)
}

// Limit changes Config.MaxBytes.
func (r *Roster) Limit(bytes int) {
	if bytes > 0 {
		r.cfg.MaxBytes = bytes
	}
}

// toldAs is a target as it is told: one that no message holds, which was issued when messages
// were larger, is told as all of its cache.
func (r *Roster) toldAs(t Target) Target {
	if size(t) > r.cfg.MaxBytes-baseSize {
		return Target{Cache: t.Cache, Kind: All}
	}
	return t
}

// tell sends records in messages of bounded size.
func (r *Roster) tell(to string, records []Invalidation) {
	for i := range records {
		records[i].Target = r.toldAs(records[i].Target)
	}
	for len(records) > 0 {
		n := r.fit(records)
		r.send(to, &Told{From: r.self, Records: records[:n:n]})
		records = records[n:]
	}
}

// fit is how many of the records go in one message: at least one.
func (r *Roster) fit(records []Invalidation) int {
	bytes := 0
	for i := range records {
		bytes += size(records[i].Target)
		if bytes > r.cfg.MaxBytes && i > 0 {
			return i
		}
	}
	return len(records)
}

// owe makes an operation wait for a peer that has not shown that it has applied it.
func (r *Roster) owe(p *peer, o *op) {
	r.acknowledgeShown(p)
	if p.acked.hasAll(o.first, o.last) {
		return
	}
	if len(p.owes) == 0 {
		p.repeat.begin(r.now, r.now+r.repeatEvery())
	}
	p.owes = append(p.owes, o)
	o.left++
}

// settle notes that one peer less owes an operation.
func (r *Roster) settle(o *op) {
	o.left--
	r.tryEnd(o)
}

// openOps are the operations that are not done, in order.
func (r *Roster) openOps() []*op {
	out := make([]*op, 0, len(r.ops))
	for _, o := range r.ops {
		out = append(out, o)
	}
	slices.SortFunc(out, func(a, b *op) int { return cmp.Compare(a.id, b.id) })
	return out
}

// told applies what somebody issued, and confirms it, even to one who is not
// counted here: it may count us.
func (r *Roster) told(t *Told) {
	if t.From.ID == r.self.ID {
		return
	}
	r.applyTold(t)
	c := &Confirm{From: r.self, To: t.From, Crowd: r.crowd()}
	if s := r.sources[t.From]; s != nil {
		c.Upto = s.prefix
		for _, i := range t.Records {
			if i.N > s.prefix && s.has(i.N) {
				c.Also = append(c.Also, i.N)
			}
		}
	}
	r.send(t.From.ID, c)
}

func (r *Roster) applyTold(t *Told) {
	for _, i := range t.Records {
		if i.Source == t.From {
			r.apply(i)
		}
	}
}

// confirm notes what a peer has applied of our own.
func (r *Roster) confirm(c *Confirm) {
	p := r.remote(c.From)
	if p == nil || c.To != r.self {
		return
	}
	before := p.acked.count()
	p.acked.raise(min(c.Upto, r.issued))
	p.lagAt = 0
	for _, n := range c.Also {
		if n <= r.issued && len(p.acked.spans) < maxSpans {
			p.acked.add(n)
		}
	}
	if p.acked.count() > before {
		p.repeat.move(r.now)
	}
	p.tested = 0
	r.vouch(p, c.Upto, c.Crowd)
	r.acknowledge(p)
}

// acknowledge ends what a peer owes and has applied.
func (r *Roster) acknowledge(p *peer) {
	if len(p.owes) == 0 {
		return
	}
	r.acknowledgeShown(p)
	top := p.acked.top()
	if p.owes[0].first > top {
		return
	}
	p.owes = slices.DeleteFunc(p.owes, func(o *op) bool {
		if o.first > top || !p.acked.hasAll(o.first, o.last) {
			return false
		}
		r.settle(o)
		return true
	})
}

// acknowledgeShown takes what a peer's heartbeats show of our own for confirmed.
// No peer can have applied what has not been issued.
func (r *Roster) acknowledgeShown(p *peer) {
	p.acked.raise(min(p.shown[r.self], r.issued))
}

// Missing names who has not confirmed an operation, those evicted meanwhile
// included, by ID; nil when it is done. In fence mode it names everybody heard of
// who has not, and may name nobody although the operation is not done: a quorum
// has yet to agree to it. Pending tells.
func (r *Roster) Missing(now int64, id uint64) []string {
	o := r.ops[id]
	if o == nil {
		return nil
	}
	var out []string
	for _, p := range r.order {
		if slices.Contains(p.owes, o) {
			out = append(out, p.ID)
		}
	}
	for _, id := range o.missed {
		if p := r.peers[id]; p == nil || !p.waits || !p.acked.hasAll(o.first, o.last) {
			out = append(out, id)
		}
	}
	if r.fenceMode() {
		out = append(out, r.unconfirmed(o)...)
	} else if r.returning() {
		for _, i := range r.Uncounting() {
			out = append(out, i.ID)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
