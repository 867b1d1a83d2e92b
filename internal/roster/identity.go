package roster

import (
	"math"
	"slices"
	"time"
)

// admit finds the peer that a heartbeat is of, or decides whether it may replace
// the one of that ID that is known (R7): an older incarnation never comes back,
// and a newcomer does not take the place of a member of its ID that may live: that
// one may still answer from memory, and somebody may be waiting for it. In a large
// mesh, whose leases are long, the elder of two does.
func (r *Roster) admit(b *Beat) *peer {
	id := b.From.ID
	cur := r.peers[id]
	if r.cfg.Ablation.OneIncarnation {
		if cur == nil {
			cur = r.insert(b)
		}
		return cur
	}
	if cur != nil && cur.Instance == b.From {
		r.newest[id].at = r.now
		return cur
	}
	n := r.newest[id]
	if n != nil && (b.From.Inc < n.inc || n.gone && b.From.Inc == n.inc) {
		if b.From.Inc < n.inc {
			r.tellOlder(n, b.From)
			r.learnsOfItself(b) // it may take this member for older just so, and neither would ever hear the other
		}
		return nil
	}
	if cur != nil && b.Nonce != cur.nonce && (r.held(cur) || r.fresh(cur) && !(r.large && r.outranks(b, cur))) {
		r.test(cur)
		r.wantBeat = r.wantBeat || !r.large && b.standing() == 0 // it is not to take itself for the only one
		r.once("newcomer "+id, func() {
			r.logf(false, id, "another process uses the ID of a live member: ignored until that one's lease has ended")
		})
		return nil
	}
	if cur != nil {
		r.remove(cur)
	}
	if !r.roomForPeer() || n == nil && !r.roomForID() {
		r.once("peers", func() { r.logf(true, id, "more than %d members: ignoring the newest", maxPeers) })
		return nil
	}
	apart := n == nil || n.inc != b.From.Inc || time.Duration(r.now-n.at) > foreverMemory
	r.newest[id] = &newest{inc: b.From.Inc, at: r.now}
	p := r.insert(b)
	p.nonce = b.Nonce
	p.stranger = apart && b.standing() > 0
	r.answer(p) // a newcomer, at once
	return p
}

// standing is how long the sender has been a member, 0 if it never was: Tenure,
// or For where a sender does not tell its tenure.
func (b *Beat) standing() time.Duration {
	if b.Joined {
		return max(b.Tenure, b.For, 1)
	}
	return b.Tenure
}

// outranks reports whether the sender has been a member for longer than the peer
// of the same ID: of two live processes the elder stays.
func (r *Roster) outranks(b *Beat, p *peer) bool {
	t := b.standing()
	return t > 0 && (p.elder == 0 || r.now-int64(t) < p.elder)
}

// roomForPeer reports whether one more can be known. Of those for whom nobody waits the one
// that has been silent for longest makes room.
func (r *Roster) roomForPeer() bool {
	if len(r.peers) < maxPeers {
		return true
	}
	var silent *peer
	for _, p := range r.order {
		if !p.waits && (silent == nil || p.lastBeat < silent.lastBeat) && r.now-p.lastBeat > int64(p.lease) {
			silent = p
		}
	}
	if silent == nil {
		return false
	}
	r.remove(silent)
	return true
}

// roomForID keeps the memory of incarnations bounded: the oldest one of nobody
// known makes room.
func (r *Roster) roomForID() bool {
	if len(r.newest) < 2*maxPeers {
		return true
	}
	var oldest string
	for id, n := range r.newest {
		if r.peers[id] != nil {
			continue
		}
		o := r.newest[oldest]
		if o == nil || n.at < o.at || n.at == o.at && id < oldest {
			oldest = id
		}
	}
	delete(r.newest, oldest)
	return oldest != ""
}

// tellOlder answers an older incarnation, which learns from the answer that a
// newer one is remembered, and takes a newer one still.
func (r *Roster) tellOlder(n *newest, who Instance) {
	if n.toldAt != 0 && r.now-n.toldAt < int64(r.cfg.Heartbeat/4) {
		return
	}
	n.toldAt = r.now
	b := r.beat(who.ID)
	if !slices.ContainsFunc(b.Peers, func(s PeerState) bool { return s.ID == who.ID }) {
		b.Peers = append(b.Peers, PeerState{Instance: Instance{ID: who.ID, Inc: n.inc}})
	}
}

// learnsOfItself looks for a newer instance of this member's ID in what others
// know. If there is one, this member takes a newer incarnation still.
func (r *Roster) learnsOfItself(b *Beat) bool {
	var top uint64
	for i := range b.Peers {
		if b.Peers[i].ID == r.self.ID {
			top = max(top, b.Peers[i].Inc)
		}
	}
	for i := range b.Applied {
		if b.Applied[i].Source.ID == r.self.ID {
			top = max(top, b.Applied[i].Source.Inc)
		}
	}
	if top <= r.self.Inc || r.cfg.Ablation.OneIncarnation {
		return false
	}
	if top>>32 == math.MaxUint32 {
		r.once("incarnation", func() { r.logf(true, b.From.ID, "ignored an impossible incarnation of this member") })
		return false
	}
	r.reincarnate(top>>32 + 1)
	return true
}

// reincarnate makes this member a new one: it counts nobody, holds nothing, and
// joins again. What it has applied it keeps; what it still has to tell it issues anew.
func (r *Roster) reincarnate(counter uint64) {
	r.self.Inc = counter<<32 | r.cfg.Nonce&math.MaxUint32
	r.logf(r.wasJoined, "", "an instance of this ID is known that is newer: going on as incarnation %d", counter)
	r.drop("this member is a new incarnation")
	r.joined, r.born = false, r.now
	if r.fenceMode() {
		r.serves, r.served = 0, false
	}
	r.issued = 0
	open := r.openOps()
	for _, p := range r.order {
		p.owes = nil
		p.waits, p.counted, p.confirms = false, false, false
		p.echoed, p.heard, p.snapshot, p.lagAt = 0, 0, nil, 0
		p.acked = progress{} // of another numbering
		p.hold, p.offered, p.granted, p.relied, p.vouched = 0, 0, 0, false, 0
		p.tested = 0
		if r.large { // a list that is not renewed names who has gone since
			p.says, p.lists = nil, false
		}
	}
	r.waking = r.waking && r.sleepOn()
	for _, c := range r.caches {
		c.owned, c.announced = false, 0
	}
	for _, o := range open {
		r.issue(o)
	}
	r.dirty, r.wantBeat, r.forceBeat = true, true, true
}
