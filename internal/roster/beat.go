package roster

import "time"

// gap is the shortest time between two heartbeats that nothing forces.
func (r *Roster) gap() int64 {
	g := max(minGap, minGapPerPeer*time.Duration(len(r.order)))
	return int64(min(g, r.cfg.Heartbeat/2))
}

// interval is the time to the next heartbeat: our own, or less where a member's
// lease is so short that our heartbeats would renew it too late.
func (r *Roster) interval() int64 {
	every := r.cfg.Heartbeat
	for _, p := range r.order {
		if p.waits {
			every = min(every, max(p.lease/3, minLease))
		}
	}
	return int64(every)
}

// beat sends a heartbeat to all, or to one member as an answer.
func (r *Roster) beat(to string) *Beat {
	r.seq++
	r.sent[r.seq%uint64(len(r.sent))] = r.now
	b := &Beat{
		From: r.self, Nonce: r.cfg.Nonce, Seq: r.seq, Heartbeat: r.cfg.Heartbeat, Lease: r.cfg.Lease,
		Weight: r.cfg.Weight, Reader: r.cfg.Reader, Version: r.cfg.Version, Hash: r.cfg.Hash,
		Joined: r.joined, Leaving: r.leaving, For: time.Duration(r.now - r.born), Tenure: r.tenure(),
		Quorum: r.cfg.Quorum, Seasoned: r.fenceMode() && r.seasoned(), Fenced: r.fenced(),
		Caches: r.announce(), Applied: r.vector(),
	}
	if r.joined {
		b.For = time.Duration(r.now - r.joinedAt)
	}
	b.Life, _ = r.ownLife()
	if _, forever := r.ownLife(); forever {
		b.Life = -1
	}
	b.Peers = make([]PeerState, 0, len(r.order))
	for _, p := range r.order {
		b.Peers = append(b.Peers, PeerState{Instance: p.Instance, Seen: p.seen, Waits: p.waits,
			Counts: p.waits && p.counted, Grants: r.grant(p)})
	}
	r.send(to, b)
	if to == "" {
		r.lastBeat, r.beatDue = r.now, r.now+r.interval()
		r.wantBeat, r.forceBeat = false, false
	}
	return b
}

// sentAt is when the heartbeat of a number was sent, if that is remembered.
func (r *Roster) sentAt(seq uint64) (int64, bool) {
	if seq == 0 || seq > r.seq || r.seq-seq >= uint64(len(r.sent)) {
		return 0, false
	}
	return r.sent[seq%uint64(len(r.sent))], true
}

// tenure is how long ago Join first returned in this process.
func (r *Roster) tenure() time.Duration {
	if !r.wasJoined {
		return 0
	}
	return time.Duration(r.now-r.tenureFrom) + 1
}
