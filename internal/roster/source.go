package roster

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

const (
	maxSources = 4096
	// foreverMemory is how long a gone source is remembered at least when some
	// cache keeps values for ever; whoever was apart for longer drops everything.
	foreverMemory = time.Hour
	// maxLife is the longest life of a value that is told from one without end.
	maxLife = 100 * 365 * 24 * time.Hour
)

// source is what is applied here of the invalidations of one instance.
type source struct {
	Instance
	progress
	base    uint64 // the log has lost content up to this number
	changed int64  // when something new was last applied
	mark    uint64 // Roster.changes then
	have    uint64 // scratch of tail: how much the asker has
	listed  bool   // scratch of tail: the asker knows the source
	last    uint64 // scratch of tail: the record that came last
}

func compareInstances(a, b Instance) int {
	return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Inc, b.Inc))
}

// source finds the source of an instance, or starts it.
func (r *Roster) source(of Instance) *source {
	if s := r.sources[of]; s != nil {
		return s
	}
	if len(r.sources) >= maxSources {
		r.forgetOldest()
	}
	s := &source{Instance: of, changed: r.now}
	r.sources[of] = s
	i, _ := slices.BinarySearchFunc(r.sourceOrder, of, func(s *source, of Instance) int {
		return compareInstances(s.Instance, of)
	})
	r.sourceOrder = slices.Insert(r.sourceOrder, i, s)
	return s
}

// apply is rule R1 as far as the roster goes: it hands the target to the host,
// unless the record has been applied before.
func (r *Roster) apply(i Invalidation) bool {
	if i.Source == r.self && i.N > r.issued { // nobody knows of what this member has not issued
		return false
	}
	s := r.source(i.Source)
	if !s.add(i.N) {
		return false
	}
	s.changed = r.now
	r.changes++
	s.mark = r.changes
	r.out.Apply = append(r.out.Apply, i.Target)
	r.log.add(record{s, i.N, i.Target})
	if len(s.spans) > maxSpans { // dropping everything applies all that was ever issued
		r.drop("too many invalidations of " + s.ID + " came out of order")
		s.raise(s.top())
		s.base = max(s.base, s.prefix)
	}
	return true
}

// drop makes the host forget everything, which is always safe.
func (r *Roster) drop(why string) {
	if r.cfg.Ablation.DropNothing || r.out.Drop {
		return
	}
	r.out.Drop = true
	if r.wasJoined { // a newcomer holds nothing
		r.logf(false, "", "dropping all values: %s", why)
	}
}

// raise takes note that the content of what a source issued up to a number is
// not to be had: dropping everything applies it.
func (r *Roster) raise(bases []Applied) (raised bool) {
	for _, a := range bases {
		if a.Upto == 0 || a.Source.Inc == 0 || a.Source == r.self { // of its own it has applied all
			continue
		}
		s := r.source(a.Source)
		if a.Upto <= s.prefix {
			continue
		}
		r.drop(fmt.Sprintf("invalidations of %s up to %d are no longer in anybody's log", s.ID, a.Upto))
		s.raise(a.Upto)
		s.base = max(s.base, s.prefix)
		s.changed = r.now
		r.changes++
		s.mark = r.changes
		raised = true
	}
	return raised
}

// vector is what a heartbeat shows.
func (r *Roster) vector() []Applied {
	v := make([]Applied, 0, len(r.sourceOrder))
	for _, s := range r.sourceOrder {
		v = append(v, Applied{Source: s.Instance, Upto: s.prefix, Age: time.Duration(r.now - s.changed)})
	}
	return v
}

// memory is how long a gone source matters (rule R6): until every value that was
// older than its last invalidation has expired. What is older than that need not
// be told; it is forgotten a little later, so that members that forget at
// slightly different moments do not teach it to each other again.
func (r *Roster) memory() time.Duration {
	if r.cfg.Ablation.ForgetAtOnce {
		return r.cfg.Heartbeat
	}
	return r.life + 2*r.cfg.Lease
}

func (r *Roster) matters(s *source) bool {
	return time.Duration(r.now-s.changed) <= r.memory()
}

// measureLife finds the longest life that any known member announces.
func (r *Roster) measureLife() {
	life, forever := r.ownLife()
	for _, p := range r.order {
		if p.life < 0 {
			forever = true
		}
		life = max(life, p.life)
	}
	if forever {
		life = max(life, foreverMemory)
	}
	r.life, r.forever = life, forever
}

// mendHoles drops everything where records are missing of a source that has gone, and
// nobody has told them for two leases: nobody has them.
func (r *Roster) mendHoles() {
	for _, s := range r.sourceOrder {
		if p := r.remote(s.Instance); len(s.spans) == 0 || p != nil && p.waits || time.Duration(r.now-s.changed) <= 2*r.cfg.Lease {
			continue
		}
		if r.cfg.Ablation.RepairNothing || r.cfg.Ablation.DropNothing {
			continue
		}
		r.drop("what " + s.ID + " has invalidated is known in part only, and it has gone")
		s.raise(s.top())
		s.base = max(s.base, s.prefix)
		s.changed = r.now
		r.changes++
		s.mark = r.changes
		r.wantBeat = true
	}
}

// forget ends what rule R6 no longer asks to remember.
func (r *Roster) forget() {
	r.measureLife()
	r.mendHoles()
	long := r.memory() + 2*r.cfg.Lease
	if r.cfg.Ablation.ForgetAtOnce {
		long = r.memory()
	}
	for _, s := range slices.Clone(r.sourceOrder) {
		if p := r.peers[s.ID]; s.Instance == r.self || p != nil && p.Instance == s.Instance && p.waits {
			continue
		}
		if time.Duration(r.now-s.changed) > long {
			r.forgetSource(s)
		}
	}
	for _, p := range slices.Clone(r.order) {
		if !p.waits && time.Duration(r.now-p.lastBeat) > long+paceLease*(r.pace()-r.cfg.Heartbeat) {
			r.remove(p)
		}
	}
	for id, n := range r.newest {
		if r.peers[id] == nil && time.Duration(r.now-n.at) > long {
			delete(r.newest, id)
		}
	}
}

func (r *Roster) forgetSource(s *source) {
	delete(r.sources, s.Instance)
	r.sourceOrder = slices.DeleteFunc(r.sourceOrder, func(x *source) bool { return x == s })
	r.log.forget(s)
	for _, p := range r.order {
		delete(p.shown, s.Instance)
		delete(p.snapshot, s.Instance)
	}
	r.changes++
}

// forgetOldest makes room for a source when there are too many.
func (r *Roster) forgetOldest() {
	var oldest *source
	for _, s := range r.sourceOrder {
		if s.Instance != r.self && (oldest == nil || s.changed < oldest.changed) {
			oldest = s
		}
	}
	r.once("sources", func() {
		r.logf(true, oldest.ID, "more than %d instances have invalidated: forgetting the oldest", maxSources)
	})
	r.forgetSource(oldest)
}
