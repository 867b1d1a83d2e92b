package roster

import "time"

// hear takes a heartbeat.
func (r *Roster) hear(b *Beat) {
	if b.From.ID == r.self.ID {
		r.hearNamesake(b)
		return
	}
	if b.Hash != r.cfg.Hash {
		r.once("hash "+b.From.ID, func() {
			r.logf(true, b.From.ID, "ignored: it picks owners by hash version %d, this member by %d", b.Hash, r.cfg.Hash)
		})
		return
	}
	if b.Heartbeat <= 0 || b.Lease <= 0 || b.Seq == 0 {
		r.once("beat "+b.From.ID, func() {
			r.logf(true, b.From.ID, "dropped a heartbeat without a number, an interval or a lease")
		})
		return
	}
	if !r.sameMode(b) {
		return
	}
	p := r.admit(b)
	if p == nil {
		return
	}
	if r.learnsOfItself(b) { // what it says of us is about an instance that is no more
		return
	}
	r.hearEcho(p, b)
	if p.lastBeat > 0 && time.Duration(r.now-p.lastBeat) > foreverMemory && b.standing() > 0 { // of one just inserted admit decides
		p.stranger = true
	}
	p.lastBeat = r.now
	if b.Seq <= p.seen && !r.cfg.Ablation.OneIncarnation {
		return
	}
	p.seen, p.seenAt, p.suspected = b.Seq, r.now, false
	p.seasoned = b.Seasoned
	p.heartbeat, p.lease = b.Heartbeat, min(max(b.Lease, minLease), maxLease)
	r.hearLife(p, b)
	r.hearApplied(p, b)
	r.hearState(p, b)
	r.hearMissing(b)
	if b.Asks && (b.Partial || r.large) {
		r.answer(p)
	}
	if r.fenceMode() {
		r.vouch(p, p.shown[r.self], crowdOf(b))
	}
	if r.fresh(p) && !p.waits {
		r.waitFor(p)
	}
	r.compare(p)
	r.acknowledge(p)
	if r.cfg.Ablation.LeaverUncounted && p.leaving {
		for _, o := range p.owes {
			r.settle(o)
		}
		p.owes = nil
	}
}

// hearEcho renews the lease that we hold on a peer: it counts from the sending
// of our heartbeat that the peer has heard, never from the receipt of its own.
func (r *Roster) hearEcho(p *peer, b *Beat) {
	for i := range b.Peers {
		e := &b.Peers[i]
		if e.Instance != r.self {
			continue
		}
		at, ok := r.sentAt(e.Seen)
		if ok && e.Seen > p.echoed {
			p.echoed, p.heard = e.Seen, at
			if at >= p.tested {
				p.tested = 0
			}
		}
		if b.Seq > p.seen {
			if ok {
				r.hearGrant(p, e, at)
			}
			if e.Counts && !p.confirms && !r.joined {
				r.answer(p)
			}
			p.confirms = e.Counts
		}
		return
	}
	if b.Seq > p.seen && !b.Partial {
		p.confirms = false
	}
}

// hearLife notes for how long the peer's values may live.
func (r *Roster) hearLife(p *peer, b *Beat) {
	life := b.Life
	if life > maxLife {
		life = -1
	}
	if p.life != life {
		p.life = life
		r.measureLife()
	}
}

// hearApplied notes what the peer has applied, and asks for what is lacking here (R5).
func (r *Roster) hearApplied(p *peer, b *Beat) {
	p.lagAt, p.triedAt = 0, 0
	gap := false
	for i := range b.Applied {
		a := b.Applied[i]
		if a.Source == r.self { // nobody has applied more than has been issued
			a.Upto = min(a.Upto, r.issued)
		}
		s := r.sources[a.Source]
		if s == nil {
			if a.Upto == 0 {
				continue
			}
			s = r.source(a.Source)
			s.changed = r.now - int64(max(a.Age, 0))
			if a.Age > r.memory() { // all values that are older have expired: it is as good as applied
				s.raise(a.Upto)
				s.base = s.prefix
				r.changes++
				s.mark = r.changes
			}
		}
		if a.Upto > p.shown[a.Source] {
			p.shown[a.Source] = a.Upto
		}
		gap = gap || s.prefix < a.Upto && s.Instance != r.self
	}
	if gap && r.now >= r.wantDue {
		r.want(p)
	}
}

// hearState notes what the peer says of itself.
func (r *Roster) hearState(p *peer, b *Beat) {
	weight := min(max(b.Weight, 1), maxWeight)
	if p.joined != b.Joined || p.leaving != b.Leaving {
		p.joined, p.leaving = b.Joined, b.Leaving
		p.since = r.now
		if b.Joined {
			p.since -= int64(max(b.For, 0))
		}
		r.dirty, r.wantBeat = true, r.wantBeat || !r.large
	}
	if p.fenced != b.Fenced {
		p.fenced, r.dirty = b.Fenced, true
	}
	if p.weight != weight || p.reader != b.Reader || p.version != b.Version {
		p.weight, p.reader, p.version = weight, b.Reader, b.Version
		r.dirty = true
	}
	if t := b.standing(); t > 0 {
		p.elder = r.now - int64(t)
	}
	if !b.Partial {
		p.says, p.lists = b.Peers, true
	}
	r.hearCaches(p, b)
}

// hearCaches notes which caches the peer has opened.
func (r *Roster) hearCaches(p *peer, b *Beat) {
	same := len(p.caches) == len(b.Caches)
	for i := 0; same && i < len(b.Caches); i++ {
		same = p.caches[i].name == b.Caches[i].Name && p.caches[i].owned == b.Caches[i].Owned
	}
	if same {
		return
	}
	old := p.caches
	p.caches = make([]peerCache, 0, len(b.Caches))
	for _, c := range b.Caches {
		n := peerCache{name: c.Name, owned: c.Owned, since: r.now}
		if c.Owned {
			n.since -= int64(max(c.For, 0))
		}
		known := false
		for _, o := range old {
			if o.name == c.Name {
				known = true
				if o.owned == c.Owned {
					n.since = o.since
				}
			}
		}
		r.wantBeat = r.wantBeat || !known && !r.large
		p.caches = append(p.caches, n)
	}
	r.dirty = true
}
