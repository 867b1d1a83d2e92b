package promise

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// keyOn is a key, or a tag, on a member, or as invalidated by a member. all stands for every key.
type keyOn struct {
	key, tag, member string
	all              bool
}

// floors are, by key and member, the invalidation with the latest start that has returned. A load that began before
// that start must not be read.
type floors map[keyOn]*Invalidation

func (f floors) raise(i *Invalidation, member string) {
	keep := func(k keyOn) {
		if old := f[k]; old == nil || old.Start < i.Start {
			f[k] = i
		}
	}
	if i.Keys == nil && i.Tags == nil {
		keep(keyOn{member: member, all: true})
	}
	for _, key := range i.Keys {
		keep(keyOn{key: key, member: member})
	}
	for _, tag := range i.Tags {
		keep(keyOn{tag: tag, member: member})
	}
}

// of is the one that binds a member in what it reads of a load.
func (f floors) of(l *Load, member string) *Invalidation {
	floor := later(f[keyOn{key: l.Key, member: member}], f[keyOn{member: member, all: true}])
	for _, tag := range l.Tags {
		floor = later(floor, f[keyOn{tag: tag, member: member}])
	}
	return floor
}

func later(a, b *Invalidation) *Invalidation {
	if a == nil || b != nil && b.Start > a.Start {
		return b
	}
	return a
}

// Invalidated: a get that starts after an invalidation returned reads nothing that was loaded before it was called, on
// the members that are bound.
var Invalidated = Rule{"Invalidated", func(x *index, report reporter) {
	bound := floors{} // by the member that is bound
	done := floors{}  // by the caller, of those that returned nil
	x.sweep(func(i *Invalidation) {
		if i.Outcome != OK && i.Outcome != Partial {
			return
		}
		bound.raise(i, i.Member)
		for _, m := range i.Counted {
			if i.Outcome == OK || !slices.Contains(i.Missing, m) {
				bound.raise(i, m)
			}
		}
		if i.Outcome == OK {
			done.raise(i, i.Member)
		}
	}, func(g *Get, l *Load) {
		floor := bound.of(l, g.Member)
		for _, by := range g.CountedBy {
			floor = later(floor, done.of(l, by))
		}
		if floor != nil && l.Began < floor.Start {
			report(stale(g, l, floor), *l, *floor, *g)
		}
	})
}}

// OwnInvalidation: on the caller's member, a get that starts after an invalidation returned, whatever it returned,
// reads nothing that was loaded before it was called.
var OwnInvalidation = Rule{"OwnInvalidation", func(x *index, report reporter) {
	own := floors{}
	x.sweep(func(i *Invalidation) {
		if i.Outcome != Refused {
			own.raise(i, i.Member)
		}
	}, func(g *Get, l *Load) {
		if floor := own.of(l, g.Member); floor != nil && l.Began < floor.Start {
			report(stale(g, l, floor), *l, *floor, *g)
		}
	})
}}

func stale(g *Get, l *Load, i *Invalidation) string {
	return fmt.Sprintf("the get started %v after the invalidation by %s returned and read a load that began %v before it was called",
		g.Start-i.End, i.Member, i.Start-l.Began)
}

// sweep goes through time and tells of each invalidation as it returns and of each get as it starts, with the load
// that it read. At one instant the gets come first: nothing is known of their order.
func (x *index) sweep(returned func(*Invalidation), started func(*Get, *Load)) {
	next := 0
	for _, g := range x.gets {
		for ; next < len(x.ended) && x.ended[next].End < g.Start; next++ {
			returned(x.ended[next])
		}
		if l := x.read(g); l != nil {
			started(g, l)
		}
	}
}

// BoundedAge: no value read is older than ttl when its get starts. Add to ttl what stale options allow.
func BoundedAge(ttl time.Duration) Rule {
	return Rule{"BoundedAge", func(x *index, report reporter) {
		for _, g := range x.gets {
			if l := x.read(g); l != nil && g.Start-l.Began > ttl {
				report(fmt.Sprintf("the get read a value %v old, of at most %v", g.Start-l.Began, ttl), *l, *g)
			}
		}
	}}
}

// BoundedWait: a get that has a deadline ends at most slack after it.
func BoundedWait(slack time.Duration) Rule {
	return Rule{"BoundedWait", func(x *index, report reporter) {
		for _, g := range x.gets {
			if g.Deadline > 0 && g.End > g.Deadline+slack {
				report(fmt.Sprintf("the get ended %v after its deadline", g.End-g.Deadline), *g)
			}
		}
	}}
}

// NoRegress: on one member, a get that starts after another ended reads no older load of the key.
var NoRegress = Rule{"NoRegress", func(x *index, report reporter) {
	x.regress(func(before, after *Get) bool { return true }, report)
}}

// NoRegressWhenSteady is NoRegress for gets of one steady time: when owners change, the former one may have an older
// value, which nobody has invalidated. Values of Set are left out: a load that begins while Set runs is younger by its
// beginning, and Set's value stands after it. So are loads that overlap, which have no order: where an invalidation comes
// between two flights, the goroutine of the earlier may call the loader later, and whoever waits for it has that value.
var NoRegressWhenSteady = Rule{"NoRegressWhenSteady", func(x *index, report reporter) {
	x.regress(func(before, after *Get) bool {
		young, old := x.read(before), x.read(after)
		if young.Set || old.Set || old.Ended == 0 || old.Ended > young.Began {
			return false
		}
		return slices.ContainsFunc(x.Steady, func(s Interval) bool { return s.From <= before.Start && after.Start <= s.To })
	}, report)
}}

// regress reports each get that, among those that count, reads an older load than one on its member that had ended.
func (x *index) regress(counts func(before, after *Get) bool, report reporter) {
	byEnd := slices.Clone(x.gets)
	slices.SortFunc(byEnd, func(a, b *Get) int { return cmp.Compare(a.End, b.End) })
	newest := map[keyOn]*Get{} // of those that have ended, by key and member
	next := 0
	for _, g := range x.gets {
		for ; next < len(byEnd) && byEnd[next].End < g.Start; next++ {
			e := byEnd[next]
			k := keyOn{key: e.Key, member: e.Member}
			if l := x.read(e); l != nil && (newest[k] == nil || x.read(newest[k]).Began < l.Began) {
				newest[k] = e
			}
		}
		l, seen := x.read(g), newest[keyOn{key: g.Key, member: g.Member}]
		if l != nil && seen != nil && l.Began < x.read(seen).Began && counts(seen, g) {
			report("the get read an older load than an earlier one on its member", *l, *x.read(seen), *seen, *g)
		}
	}
}
