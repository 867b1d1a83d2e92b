package roster

import (
	"slices"
	"time"
)

// Large is how heartbeats travel where there are many members, in bounded mode.
// In a small mesh each heartbeat goes to all and echoes all: with n members that
// makes n messages an interval for each of them, and each message grows with n. In
// a large mesh
//
//   - news goes to all at once: Join, a leave, a cache opened or closed; and a sign
//     of life now and then, for those who have never heard of this member;
//   - heartbeats go to one member after the other, the more slowly the more there
//     are. Each echoes its receiver alone, and shows what has been applied since the last;
//   - they announce that pace and a lease to match, by which the sender is judged;
//   - who waits for a member tests it: it asks for an answer, and evicts the member
//     when none has come in a lease as configured. So an Invalidate waits no longer
//     for a dead member than in a small mesh;
//   - a joiner is told of everybody by some of them, and waits for one such list.
//
// None of R1 to R11 rests on the pace. That a member is counted rests on what it has
// shown, that Invalidate is done on who has confirmed or has been evicted; silence
// decides only for how long somebody is waited for.
type Large struct {
	From  int           // more members than this are many; default 100, negative: never
	Pace  time.Duration // between the heartbeats that a member gets, on average; default 27ms
	Lists int           // members that tell a joiner of everybody; default 8
}

const (
	paceLease  = 4 // heartbeats, at the pace of a large mesh, in a lease that it announces
	signEvery  = 8 // of them between two signs of life to all
	wholeEvery = 8 // of them between two to a member that show everything
)

func (l Large) withDefaults() Large {
	if l.From == 0 {
		l.From = 100
	}
	if l.Pace <= 0 {
		l.Pace = 27 * time.Millisecond
	}
	if l.Lists <= 0 {
		l.Lists = 8
	}
	return l
}

// measure finds out whether the mesh is large. It stays large until a fifth less
// than what made it so is left.
func (r *Roster) measure() {
	if r.fenceMode() || r.cfg.Large.From < 0 {
		return
	}
	r.size = 0
	for _, p := range r.order {
		if p.waits || r.now-p.lastBeat <= int64(p.lease) {
			r.size++
		}
	}
	from := r.cfg.Large.From
	if r.large {
		from -= from / 5
	}
	if large := r.size+1 > from; large != r.large {
		r.setLarge(large)
	}
	r.remember()
}

// grow counts one more; the next measure finds who has gone.
func (r *Roster) grow() {
	if r.size++; !r.large && !r.fenceMode() && r.cfg.Large.From > 0 && r.size+1 > r.cfg.Large.From {
		r.setLarge(true)
	}
	r.remember()
}

func (r *Roster) setLarge(large bool) {
	r.large = large
	for _, p := range r.order {
		p.tested, p.due = 0, r.now+r.spacing(p)
		p.answer = large && r.wantBeat // what they were to be told
	}
	r.wantBeat = r.wantBeat || !large
}

// pace is the interval of the heartbeats to one member, and what is announced.
func (r *Roster) pace() time.Duration {
	if !r.large {
		return r.cfg.Heartbeat
	}
	return max(r.cfg.Heartbeat, time.Duration(r.size)*r.cfg.Large.Pace)
}

// lease is the one that is announced.
func (r *Roster) lease() time.Duration {
	if !r.large {
		return r.cfg.Lease
	}
	return min(max(r.cfg.Lease, paceLease*r.pace()), maxLease)
}

// spacing is the time to the next heartbeat to a peer: less where its lease, which
// our heartbeats renew, is short, and where it is late; and up to a fifth less at random,
// so that they spread.
func (r *Roster) spacing(p *peer) int64 {
	every := r.pace()
	if p.waits {
		every = min(every, max(p.lease/3, minLease))
	}
	if r.late(p) {
		every /= 2
	}
	return int64(every) - int64(mix(p.mark+r.seq)%uint64(every/5+1))
}

func mix(x uint64) uint64 {
	x *= 0x9e3779b97f4a7c15
	x ^= x >> 29
	x *= 0xbf58476d1ce4e5b9
	return x ^ x>>32
}

// answer has a peer told how things stand, soon. In a small mesh all are told.
func (r *Roster) answer(p *peer) {
	if r.large {
		p.answer = true
	} else {
		r.wantBeat = true
	}
}

// test asks a peer for an answer, unless it is being asked.
func (r *Roster) test(p *peer) {
	if r.large && p.tested == 0 {
		p.tested, p.due = r.now, r.now
	}
}

// failed reports whether a peer was tested, and has not answered in time.
func (r *Roster) failed(p *peer) bool {
	return p.tested > 0 && r.now-p.tested > int64(r.cfg.Lease)
}

// Probe tests a member from which an answer is overdue, where heartbeats are rare.
func (r *Roster) Probe(now int64, id string) Effects {
	r.begin(now)
	if p := r.peers[id]; p != nil && !r.over && !r.apart {
		r.test(p)
	}
	return r.finish()
}

// pressing reports whether something waits for a heartbeat of the peer.
func (r *Roster) pressing(p *peer) bool {
	switch {
	case p.tested > 0:
		return r.now-p.tested <= 2*int64(r.cfg.Lease)
	case !p.waits: // it is about to be known, or it is silent
		return r.now-p.lastBeat <= 3*int64(r.cfg.Heartbeat)
	case !p.counted, r.waking && p.echoed < r.wakeSeq, !r.joined && (!p.confirms || p.says != nil):
		return true
	}
	for _, c := range r.caches {
		if !c.owned && p.echoed < c.announced {
			return true
		}
	}
	return false
}

// late reports whether the peer's echo is overdue, although its lease has not ended. Echoes
// come in each member's turn, two paces apart at most: later than that something was lost,
// and few are left before the lease ends. So our heartbeats, a few more of them, ask for one
// at once. A dead member costs no more than that: nobody waits for it, or it would be tested.
func (r *Roster) late(p *peer) bool {
	return p.waits && r.now-p.heard > int64(p.lease)*5/8
}

// press has those asked again, every heartbeat, for whom something waits.
func (r *Roster) press() {
	for _, p := range r.order {
		if r.pressing(p) {
			p.due = min(p.due, p.sentAt+int64(r.cfg.Heartbeat))
		}
	}
}

// speak sends the heartbeats that are due to single members.
func (r *Roster) speak() {
	for _, p := range r.order {
		due := r.now >= p.due
		if due || p.answer && r.now >= p.sentAt+int64(minGap) {
			r.asking = due && (r.pressing(p) || r.late(p)) // an answer asks for none
			r.beat(p.ID)
			p.answer, p.sentAt, p.due = false, r.now, r.now+r.spacing(p)
		}
	}
}

// nextSpoken is when a heartbeat to a single member is due.
func (r *Roster) nextSpoken() int64 {
	next := int64(never)
	for _, p := range r.order {
		next = min(next, p.due)
		if p.answer {
			next = min(next, p.sentAt+int64(minGap))
		}
	}
	return next
}

// partial makes a heartbeat what it is in a large mesh.
func (r *Roster) partial(b *Beat, to string) {
	b.Partial = true
	p := r.peers[to]
	if p == nil {
		return
	}
	if r.listsFor(p) {
		b.Partial, b.Peers, b.Applied = false, r.echoes(), r.vector()
	} else {
		b.Peers = append([]PeerState{r.echo(p)}, r.missing(p)...)
		b.Applied = r.newsFor(p)
	}
	p.beats++
	p.shownAt, p.sentSeq = r.changes, r.seq
}

// some are the peers in an order to ask a few of: in a large mesh another each time.
func (r *Roster) some() []*peer {
	if !r.large || len(r.order) == 0 {
		return r.order
	}
	i := int(r.seq % uint64(len(r.order)))
	return slices.Concat(r.order[i:], r.order[:i])
}

// newsFor is the part of the vector that a peer may not have seen, and what it
// waits for before it counts us.
func (r *Roster) newsFor(p *peer) []Applied {
	if p.beats%wholeEvery == wholeEvery-1 {
		return r.vector()
	}
	var v []Applied
	for _, s := range r.sourceOrder {
		if s.mark > p.shownAt || !p.confirms && p.shown[s.Instance] > 0 {
			v = append(v, Applied{Source: s.Instance, Upto: s.prefix, Age: time.Duration(r.now - s.changed)})
		}
	}
	return v
}

// listsFor reports whether this member is one of those that tell a joiner of everybody.
func (r *Roster) listsFor(p *peer) bool {
	if p.joined {
		return false
	}
	lower, mine := 0, mix(p.mark^mark(r.self))
	for _, x := range r.order {
		if x != p && x.waits && (x.joined || !r.joined) && mix(p.mark^x.mark) < mine {
			lower++
		}
	}
	return lower < r.cfg.Large.Lists
}

// missing names, to one who has told a joiner of everybody, those of whom the
// joiner has heard nothing: whoever is named so is tested.
func (r *Roster) missing(p *peer) (out []PeerState) {
	if r.joined {
		return nil
	}
	for i := range p.says {
		z := &p.says[i]
		if z.Waits && z.ID != r.self.ID && r.remote(z.Instance) == nil {
			out = append(out, PeerState{Instance: z.Instance})
		}
	}
	return out
}

// hearMissing tests those whom a joiner misses.
func (r *Roster) hearMissing(b *Beat) {
	if !r.large || !b.Partial {
		return
	}
	for i := range b.Peers {
		if p := r.remote(b.Peers[i].Instance); p != nil && p.waits && p.ID != b.From.ID {
			r.test(p)
		}
	}
}
