package roster

import (
	"math"
	"time"
)

// hearNamesake takes a heartbeat of another process that uses this member's ID.
// Of the two the one that has been a member for longer stays; before both have
// joined, the one that called Join first. Whoever wins tells the other, by its
// nonce: only a live process can, so a heartbeat of a dead predecessor that
// arrives late displaces nobody.
func (r *Roster) hearNamesake(b *Beat) {
	if b.Nonce == r.cfg.Nonce || r.cfg.Ablation.OneIncarnation {
		return
	}
	mine, other := r.tenure(), b.standing()
	if mine == 0 && other == 0 {
		mine, other = time.Duration(r.now-r.begun), b.For
	}
	if mine < other || mine == other && r.cfg.Nonce < b.Nonce {
		r.wantBeat = r.wantBeat || !r.joined // it may not have heard this process, which it is to refuse
		return
	}
	r.rival, r.contested = b.Nonce, r.now+int64(r.cfg.Lease)
	r.send(r.self.ID, &Taken{ID: r.self.ID, Nonce: b.Nonce})
	r.once("namesake", func() { r.logf(true, r.self.ID, "another process uses this member's ID: it is refused") })
}

// taken obeys a live member of this ID. When both have refused each other (they
// are of nearly the same age) the smaller nonce obeys.
func (r *Roster) taken(t *Taken) {
	if t.Nonce != r.cfg.Nonce {
		return
	}
	if r.now < r.contested && r.cfg.Nonce > r.rival {
		return
	}
	r.out.Refused = "a live member uses the ID " + r.self.ID
	r.logf(true, r.self.ID, "a live member uses this member's ID")
	if !r.wasJoined {
		r.over = true
		return
	}
	r.stepAside()
}

// displaced is what a member knows of the one of its ID that has displaced it.
type displaced struct {
	incs  uint64 // the newest incarnation of this ID that was heard
	until int64  // when this member joins again, unless the other is heard before
	again uint   // how often it has tried to, and found the other alive
}

// maxAgain bounds how the wait before the next try grows: to sixteen leases.
const maxAgain = 4

// stepAside makes a mesh of its own of this member, for as long as the other of its ID
// is heard. It holds what it held, for clients of its own process only; what it hears
// invalidated it drops, but nobody waits for that.
func (r *Roster) stepAside() {
	r.part()
	for _, p := range r.order {
		r.evict(p)
		p.counted = false
	}
	r.peers, r.order = map[string]*peer{}, nil
	if r.waking {
		r.waking, r.out.Awake = false, true
	}
	if r.joined && r.now-r.joinedAt > int64(r.cfg.Lease) {
		r.elder.again = 0 // it had been back for long
	}
	r.joined = true // also when it was about to join again
	r.apart, r.dirty = true, true
	r.stillThere(0)
	if r.fenceMode() { // alone it is no quorum, ever
		r.serves = 0
		r.tellFenced()
	}
	for _, c := range r.caches {
		if c.owned = c.owned && !r.fenced(); !r.fenced() {
			c.own(r)
		}
	}
}

// part notes which operations somebody has yet to confirm, who lives and may read what they
// invalidate, and which wait for those who have yet to be heard: they end, but are not done.
func (r *Roster) part() {
	for _, o := range r.openOps() {
		if missing := r.Missing(r.now, o.id); r.keeps || len(missing) > 0 {
			o.parted = true
			if !r.fenceMode() {
				r.out.Parted = append(r.out.Parted, Parted{o.id, missing})
			}
		}
	}
	r.keeps = false
}

// stillThere notes that the other one of this ID is alive.
func (r *Roster) stillThere(inc uint64) {
	if inc>>32 < math.MaxUint32 {
		r.elder.incs = max(r.elder.incs, inc)
	}
	r.elder.until = r.now + int64(r.cfg.Lease)<<min(r.elder.again, maxAgain)
}

// hearApart takes a message while another member of this ID is in the mesh. It answers
// nothing: whoever asked means the other.
func (r *Roster) hearApart(from string, body any) {
	switch b := body.(type) {
	case *Beat:
		if !r.vouched(from, b.From) || b.Nonce == r.cfg.Nonce {
			return
		}
		if from == r.self.ID {
			r.stillThere(b.From.Inc)
			r.forget()
			return
		}
		for i := range b.Peers { // in a large mesh the other seldom speaks to all
			if z := &b.Peers[i]; r.large && z.ID == r.self.ID && z.Inc != r.self.Inc && z.Waits {
				r.stillThere(z.Inc)
			}
		}
	case *Taken:
		if from == r.self.ID && b.ID == r.self.ID && b.Nonce == r.cfg.Nonce {
			r.stillThere(0)
		}
	case *Gone:
		if from == r.self.ID && b.From.ID == r.self.ID && b.From.Inc != r.self.Inc && b.From.Inc>>32 < math.MaxUint32 {
			r.elder.incs, r.elder.until = max(r.elder.incs, b.From.Inc), r.now
		}
	case *Told:
		if r.vouched(from, b.From) && from != r.self.ID {
			r.applyTold(b)
		}
	}
}

// tryReturn has a displaced member join again, as a new incarnation, when the other of its
// ID has not been heard for a lease, or has said its last word. If that one is alive after
// all it says so, and is given twice the time.
func (r *Roster) tryReturn() {
	if !r.apart || r.over || r.leaving || r.now < r.elder.until {
		return
	}
	r.logf(true, r.self.ID, "the other member of this ID is silent: joining again")
	r.apart = false
	r.elder.again++
	r.contested, r.tenureFrom = 0, r.now
	r.reincarnate(max(r.self.Inc, r.elder.incs)>>32 + 1)
	r.lastTick, r.asking = r.now, true
}

// returning reports whether this member had joined and is joining again, as a new incarnation,
// since so short a time that somebody may have yet to be heard for whom its invalidations wait.
func (r *Roster) returning() bool {
	return r.wasJoined && !r.joined && !r.leaving && !r.over && r.now-r.born < int64(r.cfg.Lease)
}

// endReturn ends the operations that waited for this member to have joined again.
func (r *Roster) endReturn() {
	if !r.keeps || r.returning() {
		return
	}
	r.keeps = false
	for _, o := range r.openOps() {
		r.tryEnd(o)
	}
}
