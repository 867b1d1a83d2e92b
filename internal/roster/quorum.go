package roster

import "hash/fnv"

// tryEnd ends an operation that nobody owes any more, in fence mode once a
// quorum has agreed to it (F7, F8).
func (r *Roster) tryEnd(o *op) {
	if o.left > 0 || o.parted {
		return
	}
	if o.forgotten {
		delete(r.ops, o.id)
		return
	}
	if !r.fenceMode() && r.returning() {
		r.keeps = true // those who are to be waited for have yet to be heard
		return
	}
	if !r.fenceMode() || r.agreed(o) {
		delete(r.ops, o.id)
		r.out.Done = append(r.out.Done, o.id)
		return
	}
	if !o.lingers {
		o.lingers = true
		r.lingering = append(r.lingering, o)
	}
}

// tryEndLingering looks again at what waits for a quorum, or for its lease.
func (r *Roster) tryEndLingering() {
	waiting := r.lingering
	r.lingering = r.lingering[:0:0]
	for _, o := range waiting {
		if r.ops[o.id] == o {
			o.lingers = false
			r.tryEnd(o)
		}
	}
	if r.ticked && r.fenceMode() { // the lease of those whom somebody still owes may begin meanwhile
		for _, o := range r.ops {
			if o.left > 0 {
				r.muster(o)
			}
		}
	}
}

// agreed reports whether no member can answer any more what o has invalidated.
func (r *Roster) agreed(o *op) bool {
	if r.cfg.Ablation.ConfirmAlone {
		return true
	}
	if !r.seasoned() {
		return false
	}
	quorum, vouched := r.muster(o)
	switch {
	case !quorum:
		return false
	case vouched && len(o.missed) == 0, r.cfg.Ablation.EndAtOnce:
		return true
	}
	return r.now >= o.quorumAt+r.term()
}

// muster reports whether a quorum has confirmed o, and whether one has vouched for
// it. It notes since when one and the same has confirmed it.
func (r *Roster) muster(o *op) (quorum, vouched bool) {
	need := r.cfg.Quorum - 1
	confirmed, vouch := 0, 0
	for _, p := range r.order {
		if r.attests(p, o) {
			confirmed++
			if p.vouched >= o.last {
				vouch++
			}
		}
	}
	if confirmed < need {
		o.quorum = nil
		return false, false
	}
	if o.quorum == nil || r.attested(o) < need { // the lease begins again when one of the quorum is lost
		o.quorum, o.quorumAt = make([]Instance, 0, confirmed), r.now
		for _, p := range r.order {
			if r.attests(p, o) {
				o.quorum = append(o.quorum, p.Instance)
			}
		}
	}
	return true, vouch >= need
}

// attests reports whether a peer counts in the quorum that has confirmed o (F7).
func (r *Roster) attests(p *peer, o *op) bool {
	return p.acked.prefix >= o.last && r.mayCount(p) && (r.fresh(p) || r.cfg.Ablation.ConfirmLongAgo)
}

// attested counts those of the quorum that still attest.
func (r *Roster) attested(o *op) (n int) {
	for _, i := range o.quorum {
		if p := r.remote(i); p != nil && r.attests(p, o) {
			n++
		}
	}
	return n
}

// Forget gives up an operation for whose end nobody waits any more. Those who owe it are
// told again until their leases are over, as ever; but it waits for no quorum, which may be
// hours away, and is never Done.
func (r *Roster) Forget(id uint64) {
	if o := r.ops[id]; o != nil {
		if o.forgotten = true; o.left == 0 && !o.parted {
			delete(r.ops, id)
		}
	}
}

// Pending reports whether an operation is not done.
func (r *Roster) Pending(id uint64) bool { return r.ops[id] != nil }

// unconfirmed names those who are not known to have applied o: whom this member
// has heard, and whom those wait for.
func (r *Roster) unconfirmed(o *op) (out []string) {
	for _, p := range r.order {
		if !p.acked.hasAll(o.first, o.last) {
			out = append(out, p.ID)
		}
		for _, z := range p.says {
			if z.Waits && z.ID != r.self.ID && r.peers[z.ID] == nil {
				out = append(out, z.ID)
			}
		}
	}
	return out
}

// nextAgreed is when an operation is to be looked at again.
func (r *Roster) nextAgreed() int64 {
	next := int64(never)
	for _, o := range r.lingering {
		if o.quorum != nil {
			next = min(next, o.quorumAt+r.term())
		}
	}
	return next
}

// vouch notes that a peer, in a message which shows that it has applied our own up
// to a number, waits for exactly those for whom we wait (F8): whoever else holds a
// lease of its has learnt of those invalidations with it.
func (r *Roster) vouch(p *peer, upto, crowd uint64) {
	if r.fenceMode() && crowd != 0 && crowd == r.crowd() {
		p.vouched = max(p.vouched, min(upto, r.issued))
	}
}

// crowd is a sum over the instances that this member waits for and itself: equal
// for members that wait for each other and for the same others. 0 in bounded mode.
func (r *Roster) crowd() uint64 {
	if !r.fenceMode() {
		return 0
	}
	sum := mark(r.self)
	for _, p := range r.order {
		if p.waits {
			sum += p.mark
		}
	}
	return sum
}

// crowdOf is the crowd of a heartbeat's sender.
func crowdOf(b *Beat) uint64 {
	sum := mark(b.From)
	for i := range b.Peers {
		if b.Peers[i].Waits {
			sum += mark(b.Peers[i].Instance)
		}
	}
	return sum
}

// mark is a fingerprint of an instance.
func mark(i Instance) uint64 {
	h := fnv.New64a()
	var inc [8]byte
	for k := range inc {
		inc[k] = byte(i.Inc >> (8 * k))
	}
	h.Write(inc[:])
	h.Write([]byte(i.ID))
	x := h.Sum64()
	x ^= x >> 32
	x *= 0xd6e8feb86659fd93
	return x ^ x>>32
}
