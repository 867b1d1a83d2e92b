package roster

import (
	"fmt"
	"slices"
	"time"
)

// Fence mode, Config.Quorum above 0, extends the promise of Invalidate to every
// member, those across a partition included: whoever cannot hear a quorum
// answers nothing from memory. Its rules, beside R1 to R11:
//
//	F1  A heartbeat grants a lease to each member that its sender's invalidations
//	    wait for and that has lately echoed the sender. The sender goes on
//	    waiting for it until that lease is over.
//	F2  The lease counts for its holder from when it sent the heartbeat that the
//	    grant echoes, for its granter from when that one came, and the granter
//	    allows for clocks that drift.
//	F3  A grant counts once all that its heartbeat showed as applied is applied
//	    here. Until then earlier grants of that member still count.
//	F4  A member that holds fewer grants than a quorum, itself included, needs is
//	    fenced: it answers nothing from memory, owns nothing and keeps nothing.
//	F5  Nobody counts in anybody's quorum, nor is it unfenced, before its
//	    incarnation has run for a lease: what was agreed with the help of a
//	    predecessor, which may have forgotten it, has come to its end by then.
//	F6  An instance that is new to this member begins to count while there is a
//	    quorum without it. If there is none, this member drops everything first.
//	F7  Invalidate is done when everybody whom it waits for has confirmed, and a
//	    quorum has whose members have all been heard within a lease;
//	F8  and when that quorum waits for nobody else, or has confirmed for a lease.
//
// Why that is enough: let O be done at t, and Y answer from memory later. Of at
// most 2*Quorum-1 members at a time, the quorum that confirmed O and the one that
// Y relies on share one, X. X granted before it applied O: by F8 either that
// grant is over by t, or the caller waited for Y, too. X granted afterwards: by F3
// Y has applied O. Restarts and replacements could keep the two from sharing
// anybody; but whoever confirmed O ran a lease before t (F5) and was heard in the
// lease before it (F7), so all of them ran at the moment a lease before t. Whoever
// of Y's quorum had died by that moment grants nothing any more. Whoever started
// after it counts only after t, and then either a quorum without it has shown O to Y,
// or all that Y holds was loaded after t (F6).

// driftShare: two clocks whose rates are off by 1% each differ by less than a
// fortieth of a lease over a lease.
const driftShare = 40

// term is a lease with what clocks may drift in it, by this member's clock.
func (r *Roster) term() int64 {
	if r.cfg.Ablation.NoDrift {
		return int64(r.cfg.Lease)
	}
	return int64(r.cfg.Lease + r.cfg.Lease/driftShare)
}

// fenceMode reports whether a quorum is asked for.
func (r *Roster) fenceMode() bool { return r.cfg.Quorum > 0 }

// fenced reports whether memory must not be used (F4).
func (r *Roster) fenced() bool { return r.now >= r.serves }

// seasoned reports whether this incarnation has run for a lease (F5).
func (r *Roster) seasoned() bool {
	return r.cfg.Ablation.Unseasoned || r.now-r.born >= r.term()
}

// grant notes in a heartbeat that a peer's lease is renewed, and for how long it
// must be waited for (F1, F2).
func (r *Roster) grant(p *peer) bool {
	if !r.fenceMode() || !p.waits || !r.fresh(p) {
		return false
	}
	if !r.cfg.Ablation.HoldNothing {
		p.hold = max(p.hold, p.seenAt+r.term())
	}
	return true
}

// waitEnds is when a peer that stays silent is waited for last.
func (r *Roster) waitEnds(p *peer) int64 {
	end := max(p.heard+int64(p.lease), p.hold)
	if p.tested > 0 { // bounded mode
		end = min(end, p.tested+int64(r.cfg.Lease))
	}
	return end
}

// held reports whether a peer may hold a lease that this member has granted.
func (r *Roster) held(p *peer) bool { return r.fenceMode() && p.waits && r.now <= p.hold }

// hearGrant takes a grant (F2). It counts later: see accept.
func (r *Roster) hearGrant(p *peer, e *PeerState, sent int64) {
	if !e.Grants || !r.fenceMode() {
		return
	}
	if r.cfg.Ablation.CountFromReceipt {
		sent = r.now
	}
	p.offered = max(p.offered, sent+int64(r.cfg.Lease))
}

// accept makes the grants count whose heartbeats show nothing that is lacking here (F3).
func (r *Roster) accept() {
	for _, p := range r.order {
		if p.offered <= p.granted || p.triedAt == r.changes {
			continue
		}
		p.triedAt = r.changes
		if r.caughtUp(p) || r.cfg.Ablation.GrantBlindly {
			p.granted = p.offered
		}
	}
}

// caughtUp reports whether all that a peer has shown is applied here.
func (r *Roster) caughtUp(p *peer) bool {
	for k, n := range p.shown {
		if s := r.sources[k]; s != nil && k != r.self && s.prefix < n {
			return false
		}
	}
	return true
}

// quorumUntil is when the grants of those peers that may count are no quorum any
// more; 0 if they are none.
func (r *Roster) quorumUntil(mayCount func(*peer) bool) int64 {
	if !r.seasoned() {
		return 0
	}
	var until []int64
	for _, p := range r.order {
		if p.granted > r.now && mayCount(p) {
			until = append(until, p.granted)
		}
	}
	need := r.cfg.Quorum - 1
	if need == 0 {
		return never
	}
	if len(until) < need {
		return 0
	}
	slices.Sort(until)
	return until[len(until)-need]
}

// mayCount reports whether a peer has run long enough to count in a quorum (F5).
func (r *Roster) mayCount(p *peer) bool { return p.seasoned || r.cfg.Ablation.Unseasoned }

// tryServe works out until when a quorum is heard (F4, F6).
func (r *Roster) tryServe() {
	if !r.fenceMode() {
		return
	}
	r.accept()
	r.serves = r.quorumUntil(func(p *peer) bool { return p.relied })
	if r.serves <= r.now {
		r.serves = r.quorumUntil(r.mayCount)
		if r.serves > r.now && r.served && !r.cfg.Ablation.TrustNewcomers { // else it holds nothing
			r.drop("no quorum is heard of those that know what was invalidated before")
		}
	}
	if r.cfg.Ablation.FenceNobody {
		r.serves = never
	}
	if !r.fenced() {
		r.served = true
		for _, p := range r.order {
			if p.granted > r.now && r.mayCount(p) && !p.relied {
				p.relied = true
			}
		}
		r.serves = max(r.serves, r.quorumUntil(func(p *peer) bool { return p.relied }))
	}
	r.tellFenced()
}

// tellFenced announces and logs that this member has come to be fenced, or not to be.
func (r *Roster) tellFenced() {
	if f := r.fenced(); f != r.wasFenced {
		r.wasFenced, r.dirty, r.wantBeat = f, true, true
	}
	late := r.now-r.begun > 2*r.term() // one that never served has had its time to find the others
	if r.saidAny && r.saidFence == r.wasFenced || r.wasFenced && !r.served && !late {
		return
	}
	r.saidFence, r.saidAny = r.wasFenced, true
	if r.wasFenced {
		r.logf(true, "", "fenced: no quorum of %d members is heard; every read is a load, and nothing is kept", r.cfg.Quorum)
	} else {
		r.logf(false, "", "a quorum of %d members is heard: answering from memory", r.cfg.Quorum)
	}
}

// sameMode reports whether the sender of a heartbeat has the same Quorum and, in
// fence mode, the same Lease. A joiner that has not is refused; members ignore it.
func (r *Roster) sameMode(b *Beat) bool {
	lease := r.cfg.Lease.Truncate(time.Microsecond)
	if b.Quorum == r.cfg.Quorum && (!r.fenceMode() || b.Lease.Truncate(time.Microsecond) == lease) {
		return true
	}
	differ := fmt.Sprintf("Quorum is %d there and %d here", b.Quorum, r.cfg.Quorum)
	if b.Quorum == r.cfg.Quorum {
		differ = fmt.Sprintf("with Quorum %d, Lease is %v there and %v here", b.Quorum, b.Lease, r.cfg.Lease)
	}
	mine := time.Duration(r.now - r.begun)
	if !r.wasJoined && (b.standing() > 0 || b.For > mine || b.For == mine && b.Nonce < r.cfg.Nonce) {
		r.out.Differs = "member " + b.From.ID + ": " + differ + "; it must be the same for all members"
		r.over = true
		return false
	}
	r.wantBeat = r.wantBeat || r.joined && b.standing() == 0 // a joiner is to learn of it before it has joined alone
	r.once("mode "+b.From.ID, func() {
		r.logf(true, b.From.ID, "ignored: %s; it must be the same for all members", differ)
	})
	return false
}
