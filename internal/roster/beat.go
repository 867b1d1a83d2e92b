package roster

import "time"

// gap is the shortest time between two heartbeats that nothing forces. When many start at once
// each of them has news for all, all the time: with n members n² messages arrive in every gap,
// on as many machines as there are, which may be one.
func (r *Roster) gap() int64 {
	n := time.Duration(len(r.order))
	g := max(minGap, minGapPerPair*n*n)
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

// beatIsDue has a heartbeat sent to all. In a large mesh it is a sign of life now
// and then, and oftener from a joiner, whom some may not have heard.
func (r *Roster) beatIsDue() {
	if !r.large {
		r.forceBeat = true
		return
	}
	r.press()
	r.beatDue = r.now + int64(r.cfg.Heartbeat)
	r.forceBeat = !r.joined || r.now-r.lastBeat >= signEvery*int64(r.pace())
}

// number gives a heartbeat its number. Those to single members may share one:
// each sees it once, and counts it from when the first was sent.
func (r *Roster) number(to string) {
	const close = int64(20 * time.Millisecond)
	if p := r.peers[to]; r.large && p != nil && p.sentSeq < r.seq && r.allSeq < r.seq && p.tested == 0 && r.now-r.sent[r.seq%uint64(len(r.sent))] <= close {
		return
	}
	r.seq++
	r.sent[r.seq%uint64(len(r.sent))] = r.now
}

// beat sends a heartbeat to all, or to one member as an answer.
func (r *Roster) beat(to string) *Beat {
	r.number(to)
	b := &Beat{
		From: r.self, Nonce: r.cfg.Nonce, Seq: r.seq, Heartbeat: r.pace(), Lease: r.lease(),
		Weight: r.cfg.Weight, Reader: r.cfg.Reader, Version: r.cfg.Version, Hash: r.cfg.Hash,
		Joined: r.joined, Leaving: r.leaving, For: time.Duration(r.now - r.born), Tenure: r.tenure(),
		Quorum: r.cfg.Quorum, Seasoned: r.fenceMode() && r.seasoned(), Fenced: r.fenced(),
		Caches: r.announce(), Asks: r.asking,
	}
	if r.joined {
		b.For = time.Duration(r.now - r.joinedAt)
	}
	b.Life, _ = r.ownLife()
	if _, forever := r.ownLife(); forever {
		b.Life = -1
	}
	if r.large {
		r.partial(b, to)
	} else {
		b.Peers, b.Applied = r.echoes(), r.vector()
	}
	r.send(to, b)
	if to == "" {
		r.lastBeat, r.beatDue, r.allSeq = r.now, r.now+r.interval(), r.seq
		r.wantBeat, r.forceBeat = false, false
	}
	return b
}

// echoes is what a heartbeat says of the others: of those who have been silent for long
// nothing, although their incarnations are remembered.
func (r *Roster) echoes() []PeerState {
	out := make([]PeerState, 0, len(r.order))
	for _, p := range r.order {
		if p.waits || time.Duration(r.now-p.lastBeat) <= 4*max(r.cfg.Lease, p.lease) {
			out = append(out, r.echo(p))
		}
	}
	return out
}

func (r *Roster) echo(p *peer) PeerState {
	return PeerState{Instance: p.Instance, Seen: p.seen, Waits: p.waits, Counts: p.waits && p.counted, Grants: r.grant(p)}
}

// minSent is for how many heartbeats it is remembered at least when they were sent.
const minSent = 1024

// remember makes room for as many heartbeats as are sent before the slowest echo of one
// comes: in a large mesh each member is told in its turn, and echoes in its own. It halves
// nothing when the mesh gets smaller.
func (r *Roster) remember() {
	room := len(r.sent)
	for r.large && room < 4*r.size {
		room *= 2
	}
	if room == len(r.sent) {
		return
	}
	sent := make([]int64, room)
	for seq := r.seq; seq > 0 && r.seq-seq < uint64(len(r.sent)); seq-- {
		sent[seq%uint64(room)] = r.sent[seq%uint64(len(r.sent))]
	}
	r.sent = sent
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
