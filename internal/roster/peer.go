package roster

import (
	"slices"
	"time"
)

const (
	maxPeers  = 4096
	minLease  = 10 * time.Millisecond
	maxLease  = 10 * time.Minute
	maxWeight = 1024
)

// peer is what this member knows of the newest instance of another.
type peer struct {
	Instance
	nonce     uint64
	heartbeat time.Duration
	lease     time.Duration
	weight    int
	reader    bool
	version   string
	joined    bool
	leaving   bool
	life      time.Duration
	caches    []peerCache
	elder     int64 // when its Join first returned, by our clock; 0 if it never has
	since     int64 // when its Join returned, or when we came to know it
	met       int64 // when we came to know it

	seen     uint64 // its latest heartbeat
	lastBeat int64  // when we received anything from it
	echoed   uint64 // our latest heartbeat that it has echoed; 0: none
	heard    int64  // when we sent that one: its lease counts from there
	stranger bool   // it had joined, but we knew nothing of it for too long (R6)

	shown    map[Instance]uint64 // how much it says it has applied, of our sources
	says     []PeerState         // whom it waits for
	confirms bool                // it counts us

	waits    bool                // our invalidations wait for it (R4)
	counted  bool                // and it has shown the snapshot
	snapshot map[Instance]uint64 // what it has yet to show of what was applied when we began to wait

	mark     uint64 // fingerprint of the instance
	seenAt   int64  // when its latest heartbeat came
	seasoned bool   // fence mode: it may count in a quorum (F5)
	fenced   bool   // it says that it cannot hear a quorum
	hold     int64  // until when it may hold a lease that we have granted (F1)
	offered  int64  // until when its latest grant holds
	granted  int64  // and its latest that counts (F3)
	triedAt  uint64 // Roster.changes when the latest was found not to count yet
	relied   bool   // it counts in our quorum (F6)
	vouched  uint64 // our own records up to here are applied wherever its grants hold (F8)

	acked  progress // which of our own invalidations it has applied
	owes   []*op    // operations that wait for it, ascending
	repeat repeats  // of them

	suspected bool // the transport says that nobody listens there; ends with its next beat

	// In a large mesh:
	due     int64  // when a heartbeat to it is due
	sentAt  int64  // when the last was sent
	sentSeq uint64 // its number
	beats   uint64 // how many
	shownAt uint64 // Roster.changes then: it has been shown what was applied before
	answer  bool   // it is to be told how things stand, soon
	tested  int64  // since when an answer is awaited from it; 0: none is
	lists   bool   // it has told whom it knows

	lagAt  uint64 // Roster.changes when lags was worked out; 0: never
	lags   bool   // there is something to carry to it
	passed uint64 // position in the log before which it knows everything
}

type peerCache struct {
	name  string
	owned bool
	since int64
}

// newest remembers the newest incarnation of an ID (R7), for longer than the peer.
type newest struct {
	inc    uint64
	gone   bool  // it has left: its late messages are void
	at     int64 // when it was last heard
	toldAt int64 // when an older incarnation was last told of it
}

// fresh: silence counts from when the latest heartbeat of ours that it has
// echoed was sent, and each member is judged by the lease it announces.
func (r *Roster) fresh(p *peer) bool {
	return p.echoed > 0 && time.Duration(r.now-p.heard) <= p.lease && !r.failed(p)
}

// remote finds the peer that is this very instance.
func (r *Roster) remote(i Instance) *peer {
	if p := r.peers[i.ID]; p != nil && p.Instance == i {
		return p
	}
	return nil
}

// expire evicts who has been silent for a lease. It runs before every decision,
// so that whoever an Invalidate stops waiting for is evicted by the same step,
// and comes back only through R4. A process that was stopped hears first and
// judges then (R11).
func (r *Roster) expire() {
	if r.waking {
		return
	}
	for _, p := range r.order {
		if p.waits && r.now > r.waitEnds(p) {
			r.evict(p)
			r.logf(true, p.ID, "evicted: not heard for a lease of %v", p.lease)
		}
	}
}

// evict stops waiting for a peer, and counting it.
func (r *Roster) evict(p *peer) {
	if !p.waits {
		return
	}
	p.waits = false
	if !r.cfg.Ablation.KeepCounting {
		p.counted = false
	}
	p.confirms = false
	p.snapshot = nil
	r.dirty = true
	for _, o := range p.owes {
		o.missed = append(o.missed, p.ID)
		r.settle(o)
	}
	p.owes = nil
}

// insert starts a peer.
func (r *Roster) insert(b *Beat) *peer {
	p := &peer{Instance: b.From, mark: mark(b.From), shown: map[Instance]uint64{}, since: r.now, met: r.now, shownAt: r.changes}
	r.peers[p.ID] = p
	i, _ := slices.BinarySearchFunc(r.order, p.ID, func(p *peer, id string) int {
		return compareInstances(Instance{ID: p.ID}, Instance{ID: id})
	})
	r.order = slices.Insert(r.order, i, p)
	p.due = r.now + r.spacing(p)
	r.grow()
	return p
}

// remove ends a peer.
func (r *Roster) remove(p *peer) {
	r.evict(p)
	if p.counted {
		p.counted, r.dirty = false, true
	}
	delete(r.peers, p.ID)
	r.order = slices.DeleteFunc(r.order, func(x *peer) bool { return x == p })
}

// waitFor is the first half of R4: invalidations wait for the peer from now on;
// it is counted once it has shown all that is applied here now, what came out of
// order included.
func (r *Roster) waitFor(p *peer) {
	p.waits, p.counted = true, false
	p.snapshot = map[Instance]uint64{}
	for _, s := range r.sourceOrder {
		if top := s.top(); top > p.shown[s.Instance] && r.matters(s) {
			p.snapshot[s.Instance] = top
		}
	}
	if p.stranger && r.wasJoined && r.forever {
		r.drop(p.ID + " was apart for longer than gone members are remembered")
	}
	p.stranger = false
	if r.joined { // it owns nothing here yet, however old it is
		p.since = r.now
		for i := range p.caches {
			p.caches[i].since = r.now
		}
	}
	p.acked = progress{}
	for _, o := range r.openOps() {
		r.owe(p, o)
	}
	r.answer(p)
}

// compare is the second half of R4.
func (r *Roster) compare(p *peer) {
	if !p.waits || p.counted {
		return
	}
	for k, n := range p.snapshot {
		if s := r.sources[k]; p.shown[k] >= n || s == nil || !r.matters(s) || r.cfg.Ablation.CompareNothing {
			delete(p.snapshot, k)
		}
	}
	if len(p.snapshot) == 0 {
		p.counted = true
		r.dirty = true
		r.answer(p)
		if r.joined || !r.large { // a joiner would have a line for each
			r.logf(false, p.ID, "counted")
		}
	}
}

// Suspect notes that the transport found nobody listening at the member. It ends
// with the member's next heartbeat.
func (r *Roster) Suspect(now int64, id string) {
	if p := r.peers[id]; p != nil {
		p.suspected = true
	}
}

// Suspects reports whether the member is likely to be down: somebody suspects it,
// or it has been silent for more than two and a half of its heartbeats; where those
// are short, for so long as a machine may be too busy to let it speak.
func (r *Roster) Suspects(now int64, id string) bool {
	p := r.peers[id]
	return p == nil || p.suspected || p.tested > 0 && time.Duration(now-p.tested) > busy || time.Duration(now-p.lastBeat) > max(p.heartbeat*5/2, min(p.lease*4/5, busy))
}

// Heard is when anything was last received from the member of that ID; 0 if it is
// not known.
func (r *Roster) Heard(id string) int64 {
	if p := r.peers[id]; p != nil {
		return p.lastBeat
	}
	return 0
}

// busy is a silence that an overloaded machine explains.
const busy = 400 * time.Millisecond

// Known names the newest instance heard of an ID, the zero Instance if none, and
// whether invalidations wait for it now. A question carries that instance, so
// that a restarted member does not take it for its own.
func (r *Roster) Known(id string) (inst Instance, waits bool) {
	if id == r.self.ID {
		return r.self, false
	}
	if p := r.peers[id]; p != nil {
		return p.Instance, p.waits
	}
	return Instance{}, false
}

// Counts reports whether this very instance is counted at a moment.
func (r *Roster) Counts(now int64, i Instance) bool {
	p := r.remote(i)
	if p == nil || !p.counted {
		return false
	}
	return r.waking || r.cfg.Ablation.KeepCounting || now <= r.waitEnds(p)
}

// Silence is how long ago the latest heartbeat was sent that this instance has
// echoed; false if it has echoed none.
func (r *Roster) Silence(now int64, i Instance) (time.Duration, bool) {
	p := r.remote(i)
	if p == nil || p.echoed == 0 {
		return 0, false
	}
	return time.Duration(now - p.heard), true
}
