package roster

import (
	"iter"
	"slices"
)

// tryJoin is rule R9: Join returns when every member in the union of the views
// that were heard counts this one, and is counted here. Alone it takes a
// heartbeat: nobody may have answered yet. Who is heard but hears nobody is in no
// view but its own, and holds Join up for little more than a lease.
func (r *Roster) tryJoin() {
	if r.joined || r.leaving || !r.mayJoin() {
		return
	}
	r.joined, r.joinedAt = true, r.now
	r.dirty, r.wantBeat = true, true
	if r.large {
		for _, p := range r.order {
			p.says = nil // it is not renewed
		}
	}
	if !r.wasJoined {
		r.wasJoined, r.tenureFrom = true, r.now
		r.out.Joined = true
	}
}

func (r *Roster) mayJoin() bool {
	waited := r.now-r.born >= int64(r.cfg.Heartbeat)
	if r.cfg.Ablation.JoinAtOnce {
		return waited
	}
	// Somebody who has joined speaks for the whole mesh, once it has told whom it
	// knows: in a large one not everybody does.
	member, told, silent, strangers := false, false, false, false
	for _, p := range r.order {
		if r.silent(p) || r.deaf(p) {
			continue
		}
		if !ready(p) {
			return false
		}
		member = member || p.joined && p.lists
		told, silent = told || p.lists, silent || !p.lists
		strangers = strangers || p.joined && !p.lists
	}
	if !member && !(waited && !strangers && (told || !silent)) {
		return false
	}
	for i := range r.union() {
		if p := r.remote(i); p == nil || !ready(p) {
			return false
		}
	}
	return true
}

// ready reports whether a peer counts this member, and is counted here.
func ready(p *peer) bool { return p.counted && p.confirms }

// silent reports whether a peer has not been heard lately.
func (r *Roster) silent(p *peer) bool {
	return !r.fresh(p) && r.now-p.lastBeat > int64(p.lease)
}

// deaf reports whether a peer is heard but has not echoed this member for a lease: it hears
// nobody, or nobody it could tell. If others wait for it they say so. One that waits for a
// predecessor of this ID, until that one's lease has ended, takes up to another heartbeat,
// and the way there and back, to echo its successor.
func (r *Roster) deaf(p *peer) bool {
	lease := r.cfg.Lease
	if !r.large {
		lease = max(lease, p.lease)
	}
	patience := lease + r.cfg.Heartbeat + r.cfg.Heartbeat/2
	return !p.waits && r.now-max(r.born, p.met, p.heard) > int64(patience)
}

// union yields everybody in the views that were heard lately, some repeatedly.
func (r *Roster) union() iter.Seq[Instance] {
	return func(yield func(Instance) bool) {
		for _, p := range r.order {
			if r.silent(p) {
				continue
			}
			if !r.deaf(p) && !yield(p.Instance) {
				return
			}
			for i := range p.says {
				z := &p.says[i]
				if n := r.newest[z.ID]; !z.Waits || z.ID == r.self.ID || n != nil && (z.Inc < n.inc || z.Inc == n.inc && n.gone) {
					continue
				}
				if !yield(z.Instance) {
					return
				}
			}
		}
	}
}

// Union is those who must count this member before its Join returns, by ID.
func (r *Roster) Union() []Instance {
	return slices.Compact(slices.SortedFunc(r.union(), compareInstances))
}

// Uncounting is those of them that do not count this member yet, or are not counted here, by ID.
func (r *Roster) Uncounting() []Instance {
	return slices.DeleteFunc(r.Union(), func(i Instance) bool {
		p := r.remote(i)
		return i == r.self || p != nil && ready(p)
	})
}

// Leave announces that this member owns nothing from here on. It goes on
// confirming, and is waited for, until Gone (R10).
func (r *Roster) Leave(now int64) Effects {
	r.begin(now)
	if !r.leaving {
		r.leaving, r.dirty, r.forceBeat = true, true, true
	}
	return r.finish()
}

// Gone is the last word. Nothing happens in the roster afterwards.
func (r *Roster) Gone(now int64) Effects {
	r.begin(now)
	if !r.over && !r.apart {
		r.send("", &Gone{From: r.self})
	}
	r.over = true
	return r.finish()
}

// gone takes somebody's last word.
func (r *Roster) gone(who Instance) {
	if who.ID == r.self.ID {
		return
	}
	n := r.newest[who.ID]
	if n == nil {
		if !r.roomForID() {
			return
		}
		n = &newest{}
		r.newest[who.ID] = n
	}
	if who.Inc < n.inc || r.cfg.Ablation.OneIncarnation {
		return
	}
	n.inc, n.gone, n.at = who.Inc, true, r.now
	if p := r.remote(who); p != nil {
		if p.counted {
			r.logf(false, p.ID, "left")
		}
		for _, o := range p.owes { // it holds nothing any more: not a member that lacks something
			r.settle(o)
		}
		p.owes = nil
		r.remove(p)
	}
}
