package main

import (
	"errors"
	"math"
	"slices"
	"sort"
	"time"

	"github.com/cachemesh/cachemesh/testenv/promise"
)

// told is what one member has told: a copy, to be judged.
type told struct {
	id            string
	reads         []read
	views         []view
	seen          time.Duration
	invalidations []invalidation
}

func (m *member) told() told {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := told{id: m.id, reads: slices.Clone(m.reads), views: slices.Clone(m.views), seen: m.seen}
	for _, i := range m.invalidations {
		t.invalidations = append(t.invalidations, *i)
	}
	return t
}

// counts tells whether the member is sure to have counted another at an instant: it did when it looked before, and
// when it looked next.
func (t *told) counts(id string, at time.Duration) bool {
	n := sort.Search(len(t.views), func(i int) bool { return t.views[i].From > at }) - 1
	if n < 0 {
		return false
	}
	last := t.seen
	if n+1 < len(t.views) {
		last = t.views[n+1].Before
	}
	return at <= last && slices.Contains(t.views[n].Members, id)
}

// historyOf is what the members did, as promise.Check takes it.
func historyOf(all []told, loads []promise.Load) promise.History {
	h := promise.History{Loads: loads}
	var callers []*told
	for n := range all {
		t := &all[n]
		if len(t.invalidations) > 0 {
			callers = append(callers, t)
		}
		for _, i := range t.invalidations {
			h.Invalidations = append(h.Invalidations, i.judged(t.id))
		}
	}
	for n := range all {
		t := &all[n]
		for _, r := range t.reads {
			g := promise.Get{Key: r.Key, Member: t.id, Start: r.Start, End: r.End, Load: r.Load, Deadline: r.Deadline}
			switch {
			case r.Err != "":
				g.Err = errors.New(r.Err)
			case r.Load == 0:
				g.Load = math.MaxUint64 // no value of the origin's: in no history
			}
			for _, by := range callers {
				if by != t && by.counts(t.id, r.Start) {
					g.CountedBy = append(g.CountedBy, by.id)
				}
			}
			h.Gets = append(h.Gets, g)
		}
	}
	return h
}

// judged is the invalidation as promise knows it. One that has no end was under way when its process was killed.
func (i invalidation) judged(member string) promise.Invalidation {
	p := promise.Invalidation{Keys: i.Keys, Member: member, Start: i.Start, End: i.End, Counted: i.Counted, Missing: i.Missing}
	switch {
	case i.End == 0:
		p.End, p.Outcome = math.MaxInt64, promise.Failed
	case i.Partial:
		p.Outcome = promise.Partial
	case i.Err != "":
		p.Outcome = promise.Failed
	}
	if i.Err != "" {
		p.Err = errors.New(i.Err)
	}
	return p
}

// staleAnywhere counts the reads begun after an instant, on whatever member, of what was loaded before an invalidation
// that had returned nil somewhere: those that the bounded promise says nothing about are counted too. At most 100.
func staleAnywhere(h promise.History, from time.Duration) int {
	strict := h
	strict.Invalidations = nil
	members := map[string]bool{}
	strict.Gets = slices.DeleteFunc(slices.Clone(h.Gets), func(g promise.Get) bool { members[g.Member] = true; return g.Start < from })
	var everyone []string
	for id := range members {
		everyone = append(everyone, id)
	}
	for _, i := range h.Invalidations {
		if i.Outcome == promise.OK {
			i.Counted = everyone
			strict.Invalidations = append(strict.Invalidations, i)
		}
	}
	return len(promise.Check(strict, promise.Invalidated))
}
