package mesh

import (
	"bytes"
	"fmt"
	"time"

	"github.com/cachemesh/cachemesh/internal/roster"
	"github.com/cachemesh/cachemesh/internal/store"
	"github.com/cachemesh/cachemesh/internal/wire"
)

// fetch is a flight that asks another member for a key: the owner, whom it names
// instead, the next in rank. When nobody can be reached it loads here.
type fetch struct {
	c     *core
	f     *flight
	fill  *store.Fill
	route roster.Route
	o     readOptions
	reads uint32 // of the replica that it replaces
	// together gathers the first questions of a batch of reads; nil: this one is alone.
	together *gathering

	// hedge is the second question where the first is not acknowledged in time; second:
	// this is the fetch that asks it.
	hedge  *hedge
	second bool

	// first is the first question, value what an answer makes, and room what fill is:
	// in place, for most fetches need no more. A fetch whose first question was
	// answered with a value, and that everyone is done with, serves again with its flight.
	first call
	at    *link // that first went to
	asked int
	value storeValue
	room  store.Fill
	leave func() // forgets first; made once
}

// fetchFrom joins the flight that asks another member for key, or starts one
// that asks owner ("": nobody is known to own it).
func (c *core) fetchFrom(owner, key string, o *readOptions, now int64, g *gathering) *flight {
	var f *flight
	if o.fresh {
		f = c.fetches.Replace(key)
	} else {
		var lead bool
		if f, lead = c.fetches.Join(key); !lead {
			c.stats.coalesced.Add(1)
			return f
		}
	}
	r := fetchOf(f)
	r.c, r.f, r.fill, r.o, r.together = c, f, &r.room, *o, g
	c.store.BeginAs(r.fill, key)
	if o.held != nil {
		r.reads = o.held.Reads.Swap(0)
	}
	r.step(r.route.Start(c.m.cfg.ID, owner), now)
	if g != nil {
		r.together = nil // later questions go by themselves; the first has not been sent yet
	}
	return f
}

// fetchOf is a new fetch, in the memory of the last one that f's memory served.
func fetchOf(f *flight) *fetch {
	r, ok := f.Companion.(*fetch)
	if !ok {
		r = new(fetch)
		r.leave = func() {
			r.fill.End()
			r.at.forget(&r.first)
		}
		f.Companion = r
		return r
	}
	return r
}

// Clear makes the fetch one that has not begun.
func (r *fetch) Clear() { *r = fetch{leave: r.leave} }

// served is for the end of a fetch that its first question has settled: nobody but those
// who wait for the flight still looks at it.
func (r *fetch) served() {
	if r.asked == 1 && !r.first.held.Load() {
		r.f.Done()
	}
}

// step does what the route says. now is a moment since anything was last waited for.
func (r *fetch) step(s roster.Step, now int64) {
	c, key := r.c, r.f.Key()
	switch {
	case s.Ask != "":
		l := c.m.link(s.Ask)
		if !l.reachable() {
			r.goOn(r.route.Skip(c.m.cfg.ID, s.Ask, c.rank(key)))
			return
		}
		if l.shunned() {
			if next, ok := r.around(s.Ask); ok {
				r.step(next, now)
				return
			}
		}
		c.stats.fetches.Add(1)
		k, leave := &r.first, r.leave
		if r.asked++; r.asked > 1 { // first may still be in a queue, to be repeated
			k = new(call)
			leave = func() {
				r.fill.End()
				l.forget(k)
			}
		} else {
			r.at = l
		}
		*k = call{core: c, key: key, kind: wire.AskGet, maxAge: r.o.maxAge, reads: r.reads, ruledOut: r.route.RuledOut(), trace: r.o.trace, fetch: r}
		if r.o.fresh {
			k.flags |= wire.FlagFresh
		}
		r.f.OnAbandon(leave)
		r.together.ask(l, k, now)
	case s.Own:
		r.become(c.own(key, &r.o))
	default:
		c.stats.lastResort.Add(1)
		if c.loader.one == nil {
			r.land(outcome{}, fmt.Errorf("%w: of cache %s", ErrNoOwner, c.name))
			return
		}
		r.become(c.own(key, &r.o))
	}
}

// become lands this flight with what a flight of this member as owner lands with.
func (r *fetch) become(own *flight) {
	r.fill.End()
	leave := own.Then(func(out outcome, err error) { r.land(out, err) })
	r.f.OnAbandon(leave)
}

func (r *fetch) land(out outcome, err error) {
	r.fill.End()
	r.f.Land(out, err)
	r.hedge.end()
}

// answered is told how a question has ended.
func (r *fetch) answered(a *reply) {
	c, key, self, by := r.c, r.f.Key(), r.c.m.cfg.ID, a.from
	switch a.status {
	case wire.Value:
		now := a.at
		v := &r.value
		c.receive(v, a, now)
		v = r.newest(v, now)
		out := outcome{value: v, source: Owner, at: now}
		switch {
		case a.result.Flags&wire.FlagNoKeep != 0:
			out.source = Bypass
			r.outdated()
		default:
			if a.result.Flags&wire.FlagLoaded != 0 {
				out.source = Loaded
			}
			r.keep(v, a.shared, a.result.Flags&wire.FlagHot != 0, now)
		}
		r.f.Land(out, nil)
		r.hedge.end()
		r.served()
	case wire.NotMine:
		c.stats.redirects.Add(1)
		c.hints.drop(key) // whoever was asked does not own it, whatever was said before
		if r.hedge.goesOn() {
			return
		}
		r.step(r.route.Redirect(self, by, a.result.Instead, c.rank(key)), c.m.clock.now())
	case wire.NotFound, wire.TooLarge:
		r.outdated()
		r.land(outcome{}, a.err(key))
	case wire.Failed, wire.Overloaded:
		r.land(outcome{}, a.err(key))
	default: // out of reach, a stranger, nothing
		c.stats.unreached.Add(1)
		c.hints.drop(key)
		if r.hedge.goesOn() {
			return
		}
		r.goOn(r.route.Fail(self, by, c.rank(key)))
	}
}

// goOn is step for what ranks next. Where several are out of reach at once, those
// that are suspected are passed over: else every member would lose patience with
// each of them in turn, and load for itself.
func (r *fetch) goOn(s roster.Step) {
	c, key := r.c, r.f.Key()
	for s.Ask != "" && c.m.link(s.Ask).suspected() {
		s = r.route.Skip(c.m.cfg.ID, s.Ask, c.rank(key))
	}
	r.step(s, c.m.clock.now())
}

// outdated drops the replica here, which the owner's answer has ended: no key goes
// back to an older load on one member.
func (r *fetch) outdated() {
	if c, key := r.c, r.f.Key(); c.store.Peek(key) != nil && !r.fill.Void() {
		c.store.Drop(key)
	}
	r.fill.End()
}

// newest is v, or what a replica here holds of a newer Version, with v's life: an
// older one never replaces a newer.
func (r *fetch) newest(v *storeValue, now int64) *storeValue {
	if v.Version() == 0 {
		return v
	}
	held := r.c.store.Peek(r.f.Key())
	if held == nil || held.Until <= now || held.Version() <= v.Version() || r.fill.VoidFor(held.Tags()) {
		return v
	}
	n := copyValue(held)
	n.Began, n.Expires, n.Owner, n.Replica = v.Began, v.Expires, v.Owner, false
	n.Until, n.Refresh = v.Until, v.Refresh
	return n
}

// keep keeps a replica of what is hot. What is not hot replaces a replica that is
// here already: no key goes back to an older load on one member.
func (r *fetch) keep(v *storeValue, shared, hot bool, now int64) {
	c, key := r.c, r.f.Key()
	hot = hot && c.opts.ReplicaBytes > 0
	held := r.o.held
	if hot || held != nil || r.o.fresh {
		held = c.store.Peek(key)
	}
	shown := held != nil && held.Until > now // a reader here may have seen it
	if !hot && !shown {
		r.fill.End()
		return
	}
	if !c.m.host.view.Load().Joined || c.m.host.fenced(now) {
		r.fill.End()
		c.supersede(key, v)
		return
	}
	n := copyValue(v)
	if shared {
		n.Data = bytes.Clone(n.Data)
	}
	c.makeReplica(n, now)
	n.View.Store(c.m.host.view.Load().Number)
	if n.Until > now && r.fill.Keep(n, now) {
		c.stats.replicas.Add(1)
	} else {
		c.supersede(key, v)
	}
	r.fill.End()
}

// ownerPatience is how long a Reader waits for somebody to open the cache.
func (m *Mesh) ownerPatience() time.Duration { return m.cfg.Heartbeat }
