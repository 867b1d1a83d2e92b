package simulation

import (
	"fmt"
	"slices"

	"github.com/cachemesh/cachemesh/internal/roster"
)

type pair struct{ a, b *process }

func pairOf(a, b *process) pair {
	if a.slot > b.slot {
		a, b = b, a
	}
	return pair{a, b}
}

// bond is two members in touch with each other, as the instances that they were.
type bond struct {
	a, b  roster.Instance
	since int64
}

// checker holds what the promise obliges each Get to. A Get on m for a key that
// begins now must not return a value whose load began before the start of an
// invalidation of the key which
//
//	own:     m issued, whatever it returned
//	counted: c issued, it returned nil, and c counts m now
//	partial: c issued, it returned the missing, m not among them, and c counts m now
//	touch:   c issued, it returned nil, and since both Joins neither was silent to the other for a lease
//	merge:   c had applied when it last began to wait for m, it returned nil, and c counts m now
//	end:     c issued, it returned nil, and c counted m when c ended
//	all:     returned nil when its caller counted every live member whose Join had returned
//	fence:   anybody issued, it returned nil, in fence mode
type checker struct {
	w       *world
	res     Result
	records map[recordID]*record
	issuing *operation // the operation whose records the next step numbers

	own, confirmed, after map[*process]floors
	partial               map[[2]*process]floors
	all, begun, done      floors
	touch                 map[pair]bond
	pending               map[int]*read
	reads                 int
}

type read struct {
	p     *process
	key   string
	begun int64
}

func newChecker(w *world) *checker {
	return &checker{w: w, res: Result{Violations: map[string]int{}}, records: map[recordID]*record{},
		own: map[*process]floors{}, confirmed: map[*process]floors{}, after: map[*process]floors{},
		partial: map[[2]*process]floors{}, all: floors{}, begun: floors{}, done: floors{},
		touch: map[pair]bond{}, pending: map[int]*read{}}
}

func at[K comparable](m map[K]floors, k K) floors {
	f := m[k]
	if f == nil {
		f = floors{}
		m[k] = f
	}
	return f
}

func (c *checker) joined(p *process) {
	c.res.Joins++
	union := p.r.Union()
	for _, z := range c.w.slots {
		if z != p && z.up && z.joined && !z.apart && slices.Contains(union, z.r.Self()) {
			c.touch[pairOf(p, z)] = c.bond(p, z)
		}
	}
}

func (c *checker) bond(a, b *process) bond {
	k := pairOf(a, b)
	return bond{k.a.r.Self(), k.b.r.Self(), c.w.now}
}

// inTouch reports whether neither has been silent to the other since they were.
func (c *checker) inTouch(a, b *process) bool {
	k := pairOf(a, b)
	t, ok := c.touch[k]
	if !ok {
		return false
	}
	silent := func(x *process, y roster.Instance) bool {
		d, heard := x.r.Silence(x.clock(), y)
		return int64(d) > lease || !heard && c.w.now-t.since > lease
	}
	if t.a != k.a.r.Self() || t.b != k.b.r.Self() || k.a.apart || k.b.apart || silent(k.a, t.b) || silent(k.b, t.a) {
		delete(c.touch, k)
		return false
	}
	return true
}

// ended: a member crashes or has left. What it was promised stays promised on
// those that it counted.
func (c *checker) ended(p *process) {
	for _, z := range c.w.slots {
		if z != p && p.counts(z) && !p.apart {
			for k, t := range at(c.confirmed, p) {
				at(c.after, z).raise(k, t)
			}
		}
	}
}

// call is an Invalidate or Set in a slot, if a member runs there that has joined.
func (c *checker) call(slot int, key string, set bool) {
	if p := c.w.slots[slot]; p.up && p.joined {
		c.invalidate(p, key, set)
	}
}

func (c *checker) invalidate(p *process, key string, set bool) {
	w := c.w
	o := &operation{by: p, began: w.now}
	targets := keyTarget(key)
	if !set {
		switch x := w.rand.Float64(); {
		case x < 0.02:
			targets = []roster.Target{{Cache: cacheName, Kind: roster.All}}
		case x < 0.1:
			targets = []roster.Target{{Cache: cacheName, Kind: roster.ByTag, Key: tagOf(key)}}
		case x < 0.25:
			targets = append(targets, keyTarget(w.keys[w.rand.IntN(len(w.keys))])...)
		}
	}
	within := 8 * second
	if w.chance(0.3) {
		within = w.upTo(600 * ms)
	}
	for _, t := range targets {
		o.records = append(o.records, &record{o, t})
		c.raise(c.begun, t, o.began)
	}
	end := func(ok bool, missing []string) { c.invalidated(o, ok, missing) }
	p.do(func() {
		w.logf("%v invalidates %v set=%v", p, targets, set)
		if set {
			p.set(key, o, within, end)
		} else {
			p.invalidate(targets, o, within, end)
		}
	})
}

func (c *checker) invalidated(o *operation, ok bool, missing []string) {
	p := o.by
	c.w.logf("%v: invalidation %v of %.4f: %v %v", p, o.id, float64(o.began)/1e9, ok, missing)
	c.raiseAll(at(c.own, p), o)
	if p.apart && c.w.Quorum == 0 {
		return
	}
	if !ok {
		c.res.Partial++
		for _, z := range c.w.slots {
			if inst, waits := p.r.Known(z.id); waits && z.up && inst == z.r.Self() && !slices.Contains(missing, z.id) {
				c.raiseAll(at(c.partial, [2]*process{p, z}), o)
			}
		}
		return
	}
	c.res.Confirmed++
	c.res.Slowest = max(c.res.Slowest, c.w.now-o.began)
	o.done = true
	c.raiseAll(at(c.confirmed, p), o)
	c.raiseAll(c.done, o)
	for _, z := range c.w.slots {
		if z != p && z.up && z.joined && !z.apart && !p.counts(z) {
			return
		}
	}
	c.raiseAll(c.all, o)
}

// floor is what a Get that begins now is obliged to, and why.
func (c *checker) floor(p *process, key string) (floor int64, why string) {
	up := func(t int64, w string, by *process) {
		if t > floor {
			floor, why = t, w
			if by != nil && c.w.tracing {
				why += " by " + by.String()
			}
		}
	}
	up(at(c.own, p)[key], "own", nil)
	if c.w.Quorum > 0 {
		up(c.done[key], "fence", nil)
	}
	if p.apart {
		return floor, why
	}
	up(at(c.after, p)[key], "end", nil)
	up(c.all[key], "all", nil)
	for _, z := range c.w.slots {
		if z == p || !z.up || z.apart {
			continue
		}
		if z.counts(p) {
			up(at(c.confirmed, z)[key], "counted", z)
			up(at(c.partial, [2]*process{z, p})[key], "partial", z)
			up(z.floors[p.id][key], "merge", z)
		} else if c.inTouch(z, p) {
			up(at(c.confirmed, z)[key], "touch", z)
		}
	}
	return floor, why
}

func (c *checker) get(p *process, key string, fresh bool) {
	w := c.w
	c.reads++
	no := c.reads
	g := &read{p, key, w.now}
	floor, why := c.floor(p, key)
	if fresh {
		floor, why = w.now, "fresh"
	}
	done := c.done[key]
	c.pending[no] = g
	p.do(func() {
		p.get(key, fresh, func(a answer) {
			delete(c.pending, no)
			c.res.Gets++
			switch {
			case a.loaded == 0:
				c.fail("no answer", g, a, 0, "")
			case a.loaded < floor:
				c.fail(firstWord(why), g, a, floor, why)
			case a.loaded+ttl < g.begun:
				c.fail("ttl", g, a, 0, "")
			case a.loaded < done:
				c.res.Stale++
			}
		})
	})
}

func firstWord(s string) string {
	for i, r := range s {
		if r == ' ' {
			return s[:i]
		}
	}
	return s
}

func (c *checker) fail(kind string, g *read, a answer, floor int64, why string) {
	sec := func(t int64) float64 { return float64(t) / 1e9 }
	c.violation(kind, fmt.Sprintf("get on %v of %s begun %.4f ended %.4f: load began %.4f, must not be before %.4f (%s)",
		g.p, g.key, sec(g.begun), sec(c.w.now), sec(a.loaded), sec(floor), why))
}

func (c *checker) violation(kind, text string) {
	c.res.Violations[kind]++
	if c.res.First == "" {
		c.res.First = text
	}
	c.w.logf("VIOLATION %s: %s", kind, text)
}

// load counts as extra a load begun while a live member holds the key, or loads
// it, with nothing invalidated since.
func (c *checker) load(p *process, key string, fresh bool) {
	c.res.Loads++
	if fresh {
		return
	}
	for _, z := range c.w.slots {
		if !z.up || z.paused || z.apart {
			continue
		}
		e, f := z.store[key], z.owns[key]
		if e != nil && e.expires > c.w.now && e.loaded >= c.begun[key] && (e.owned || z == p) ||
			z != p && f != nil && f.loading && z.whole(f) && f.loadAt >= c.begun[key] {
			c.res.Extra++
			c.w.logf("%v EXTRA load of %s: %v has it", p, key, z)
			return
		}
	}
}

func (c *checker) end() {
	for no := range c.reads + 1 {
		if g := c.pending[no]; g != nil && g.p.up {
			c.violation("hang", fmt.Sprintf("get on %v of %s begun %.4f never ended", g.p, g.key, float64(g.begun)/1e9))
		}
	}
	c.whole()
}

// whole demands that all live members count all.
func (c *checker) whole() {
	now := float64(c.w.now) / 1e9
	live := map[string]bool{}
	for _, a := range c.w.slots {
		if !a.up || a.apart {
			continue
		}
		if live[a.id] {
			c.violation("twins", fmt.Sprintf("at %.1fs two live members have the ID %s", now, a.id))
		}
		live[a.id] = true
		if a.fenced() {
			c.violation("fenced", fmt.Sprintf("at %.1fs %v hears no quorum", now, a))
		}
		if self, _ := a.view.Member(a.id); !a.joined || !self.Joined {
			c.violation("apart", fmt.Sprintf("at %.1fs %v has not joined", now, a))
		}
		for _, b := range c.w.slots {
			if b.up && !b.apart && a.id != b.id && !a.counts(b) {
				c.violation("apart", fmt.Sprintf("at %.1fs %v does not count %v", now, a, b))
			}
		}
	}
}
