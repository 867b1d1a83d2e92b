package promise

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sort"
	"time"
)

// excuses are the times in which a second load of a key may begin beside a first.
type excuses struct {
	spans  []Interval      // by From
	latest []time.Duration // the latest To of the spans up to here
}

func (e *excuses) add(from, to time.Duration) { e.spans = append(e.spans, Interval{from, to}) }

func (e *excuses) sort() {
	slices.SortFunc(e.spans, func(a, b Interval) int { return cmp.Compare(a.From, b.From) })
	end := time.Duration(math.MinInt64)
	for _, s := range e.spans {
		end = max(end, s.To)
		e.latest = append(e.latest, end)
	}
}

// between tells whether a span touches the time from a to b.
func (e *excuses) between(a, b time.Duration) bool {
	if e == nil {
		return false
	}
	n := sort.Search(len(e.spans), func(i int) bool { return e.spans[i].From > b })
	return n > 0 && e.latest[n-1] >= a
}

// excuse collects what asks for a load beside another: invalidations, from their call until all have applied them,
// and gets that want a load of their own.
func (x *index) excuse() {
	of := func(key string) *excuses {
		e := x.excuses[key]
		if e == nil {
			e = &excuses{}
			x.excuses[key] = e
		}
		return e
	}
	for _, i := range x.ended {
		end := i.End
		switch i.Outcome {
		case Refused:
			continue
		case Partial, Failed:
			end = math.MaxInt64 // it goes on behind the caller's back
		}
		if i.Keys == nil && i.Tags == nil {
			x.always.add(i.Start, end)
		}
		for _, key := range i.Keys {
			of(key).add(i.Start, end)
		}
		if i.Tags != nil { // of a load under way the tags are not known: it is joined no more, whatever they are
			x.always.add(i.Start, end)
		}
	}
	for _, g := range x.gets {
		if g.Fresh {
			of(g.Key).add(g.Start, g.End)
		}
	}
	x.always.sort()
	for _, e := range x.excuses {
		e.sort()
	}
}

// ask finds out since when each load may have been asked for: the start of the first get of its key that ran when it
// began. A cache decides to load a little before the load begins, and an invalidation in between asks for a second one.
func (x *index) ask() {
	running := map[string][]*Get{} // by Start
	next := 0
	for _, l := range x.begun {
		for ; next < len(x.gets) && x.gets[next].Start <= l.Began; next++ {
			g := x.gets[next]
			running[g.Key] = append(running[g.Key], g)
		}
		first := running[l.Key]
		for len(first) > 0 && first[0].End < l.Began {
			first = first[1:]
		}
		running[l.Key] = first
		x.asked[l] = l.Began
		if len(first) > 0 {
			x.asked[l] = first[0].Start
		}
	}
}

// OneLoadPerMember: the loads of a key do not overlap on one member.
var OneLoadPerMember = Rule{"OneLoadPerMember", func(x *index, report reporter) {
	x.overlaps(func(a, b *Load) {
		if a.Member == b.Member {
			report(fmt.Sprintf("two loads on %s at once", a.Member), *a, *b)
		}
	})
}}

// OneLoadWhenSteady: in a steady time the loads of a key do not overlap, whichever members load.
var OneLoadWhenSteady = Rule{"OneLoadWhenSteady", func(x *index, report reporter) {
	x.overlaps(func(a, b *Load) {
		for _, s := range x.Steady {
			if s.From <= a.Began && b.Began <= s.To {
				report(fmt.Sprintf("loads on %s and %s at once", a.Member, b.Member), *a, *b)
				return
			}
		}
	})
}}

// overlaps tells of each two loads of a key of which the second began while the first ran, and nothing excuses it.
func (x *index) overlaps(found func(first, second *Load)) {
	running := map[string][]*Load{}
	for _, b := range x.begun {
		still := running[b.Key][:0]
		for _, a := range running[b.Key] {
			if a.Ended != 0 && a.Ended <= b.Began {
				continue
			}
			still = append(still, a)
			if from := x.asked[a]; !x.excuses[b.Key].between(from, b.Began) && !x.always.between(from, b.Began) {
				found(a, b)
			}
		}
		if !b.Cancelled {
			still = append(still, b)
		}
		running[b.Key] = still
	}
}
