package mesh

import (
	"errors"
	"time"

	"github.com/cachemesh/cachemesh/internal/store"
	"github.com/cachemesh/cachemesh/internal/wire"
	"github.com/cachemesh/cachemesh/loader"
)

type flight = loader.Flight[outcome]

// Phases of a flight, in their order.
const (
	phaseStarting  uint32 = iota
	phaseTaking           // asks who held the key before
	phaseGathering        // will load: waits for others to load with
	phaseQueued           // will load: waits for a place among MaxLoads
	phaseLoading
)

// errNothing lands a flight that was not to load and found nothing. Who joined
// it meanwhile tries again.
var errNothing = errors.New("mesh: nothing held")

// own joins the flight in which this member acts as owner of key, or starts it.
// Where o wants it fresh, only one whose load begins after now.
func (c *core) own(key string, o *readOptions) *flight {
	if o.fresh {
		if f := c.owns.JoinIf(key, func(f *flight) bool { return f.Phase() == phaseGathering || f.Phase() == phaseQueued }); f != nil {
			return f
		}
		f := c.owns.Replace(key)
		f.SetPhase(phaseGathering)
		c.startLoad(f, c.store.Begin(key), o.trace)
		c.standIn(key, c.share(c.m.host.view.Load()))
		return f
	}
	f, lead := c.owns.Join(key)
	if !lead {
		c.stats.coalesced.Add(1)
		return f
	}
	fill := c.store.Begin(key)
	now := c.m.clock.now()
	if v := c.store.Get(key, now); v != nil && !o.isolated && c.stands(v, now) && !o.tooOld(v, now) { // landed since the caller looked
		fill.End()
		f.Land(outcome{value: v, source: sourceOf(v)}, nil)
		return f
	}
	if !o.isolated && o.maxAge == 0 {
		if v := c.claim(c.store.Begin(key), key, now); v != nil && c.stands(v, now) {
			fill.End()
			f.Land(outcome{value: v, source: sourceOf(v)}, nil)
			return f
		}
	}
	sh := c.share(c.m.host.current(now))
	if owner := sh.owners.Owner(key); owner != c.m.cfg.ID && owner != "" && !o.isolated && c.m.link(owner).lively(now) {
		f.SetPhase(phaseTaking)
		c.takeOver(f, fill, owner, o.trace, standsIn)
	} else if prev := sh.previous(c.m.cfg.ID, key, now, c.youth()); prev != "" {
		f.SetPhase(phaseTaking)
		c.takeOver(f, fill, prev, o.trace, newlyOwns)
	} else {
		c.startLoad(f, fill, o.trace)
	}
	c.standIn(key, sh)
	return f
}

// youth is how long a new owner asks the previous one before it loads: as long
// as a value that was held before may live, an hour at most.
func (c *core) youth() time.Duration {
	if life := c.opts.life(); life >= 0 {
		return min(life, time.Hour)
	}
	return time.Hour
}

// Why a member takes a key over from another.
type why uint8

const (
	newlyOwns why = iota // it may have come to own the key newly, and the other held it before
	standsIn             // the other owns the key, and who asks here could not reach it
	isOffered            // the other has offered it
)

// takeOver asks prev for what it holds or is loading, before this member loads.
// Where prev holds nothing, for it came to own the key hardly earlier than this
// member, it asks who held the key before prev, too.
func (c *core) takeOver(f *flight, fill *store.Fill, prev, trace string, as why) {
	key := f.Key()
	var ask func(id string)
	var asked *call
	done := func(r reply) {
		now := c.m.clock.now()
		switch r.status {
		case wire.Value:
			v := c.received(r, now)
			if r.result.Flags&wire.FlagNoKeep != 0 { // what it was loading, and the origin lets nobody keep
				fill.End()
				c.queued.take(f)
				f.Land(outcome{value: v, source: Bypass}, nil)
				return
			}
			v.Owner = c.m.cfg.ID
			c.lives(v)
			c.queued.take(f)
			c.stats.takenOver.Add(1)
			out := outcome{value: v, source: Owner}
			if !c.keepOwn(fill, key, v, now) {
				if held := c.store.Get(key, now); held != nil { // newer, or a Set has put it
					out = outcome{value: held, source: sourceOf(held)}
				}
			}
			if !c.stands(out.value, now) { // it serves a conditional load, and where the load fails
				c.startLoad(f, c.store.Begin(key), trace)
				return
			}
			f.Land(out, nil)
			if now >= out.value.Refresh {
				c.renew(key, out.value, now, trace)
			}
			return
		case wire.NotFound:
			fill.End()
			c.queued.take(f)
			f.Land(outcome{}, r.err(key))
			return
		}
		if r.result.Flags&wire.FlagBlank != 0 {
			c.blank.said(r.from, blankPair{asked.inc, c.m.host.inc()})
		}
		if id := c.share(c.m.host.current(now)).earlier(c.m.cfg.ID, key, prev); r.status == wire.Nothing && as != isOffered && id != "" {
			prev = ""
			ask(id)
			return
		}
		if v := c.store.Get(key, now); v != nil && c.stands(v, now) { // a Set has put it meanwhile
			fill.End()
			c.queued.take(f)
			f.Land(outcome{value: v, source: sourceOf(v)}, nil)
			return
		}
		if as == isOffered && f.Waiters() <= 1 { // only who offers waits: that is worth no load
			fill.End()
			c.queued.take(f)
			f.Land(outcome{}, errNothing)
			return
		}
		c.startLoad(f, fill, trace)
	}
	ask = func(id string) {
		if v := c.m.host.view.Load(); as == newlyOwns && c.neverHeld(c.share(v), v, id) {
			done(reply{from: id, status: wire.Nothing})
			return
		}
		c.stats.takeOvers.Add(1)
		l := c.m.link(id)
		if l.shunned() {
			done(reply{from: id})
			return
		}
		asked = c.takeOverCall(key, trace, as, done)
		l.ask(asked)
		if as == standsIn { // who looks after the link would look later
			l.lookNow()
		}
	}
	ask(prev)
}

// takeOverCall is the question of takeOver.
func (c *core) takeOverCall(key, trace string, as why, done func(reply)) *call {
	k := &call{core: c, key: key, kind: wire.AskTakeOver, trace: trace, done: done, brief: as == standsIn}
	if as == newlyOwns && c.share(c.m.host.view.Load()).owners.Owner(key) == c.m.cfg.ID {
		k.flags = wire.FlagOwner // else it was offered the key, or acts for an owner that cannot be reached
	}
	return k
}

// pull takes key over from a member that offers it: a leaver, or one that has Set
// it. done is called when that has been tried, and told whether this member holds
// what was offered. Where others have offered theirs a moment before, it is tried again.
func (c *core) pull(key, from string, tries int, done func(pulled bool)) {
	now := c.m.clock.now()
	if c.store.Get(key, now) != nil || !c.m.host.current(now).Joined {
		done(false)
		return
	}
	c.blank.use()
	// Another's offer is not worth a load, as somebody who waits would be.
	if c.owns.Watch(key, func(_ outcome, err error) {
		if err != nil && tries > 0 {
			c.pull(key, from, tries-1, done)
			return
		}
		done(false)
	}) {
		return
	}
	f, lead := c.owns.Join(key)
	if !lead { // it has begun just now
		f.Leave()
		c.pull(key, from, tries, done)
		return
	}
	f.Pin()
	f.SetPhase(phaseTaking)
	f.Then(func(_ outcome, err error) { done(err == nil) })
	c.takeOver(f, c.store.Begin(key), from, "", isOffered)
}

// keepOwn keeps what a flight of this member as owner has found: as owned while the
// view says so, else as a replica.
func (c *core) keepOwn(fill *store.Fill, key string, v *storeValue, now int64) bool {
	vw := c.m.host.current(now)
	if !vw.Joined {
		fill.End()
		return false
	}
	if vw.Fenced(now) {
		fill.End()
		c.supersede(key, v)
		return false
	}
	if c.share(vw).owners.Owner(key) != c.m.cfg.ID {
		c.makeReplica(v, now)
	}
	v.View.Store(vw.Number)
	if fill.Keep(v, now) {
		return true
	}
	c.supersede(key, v)
	return false
}

// supersede drops what is held where v, which is not kept, is newer: no key goes back to
// an older load on one member.
func (c *core) supersede(key string, v *storeValue) {
	if held := c.store.Peek(key); held != nil && held.Began < v.Began && held.Version() <= v.Version() {
		c.store.Drop(key)
	}
}

// received makes a value of an answer. The whole round trip, less what the
// answerer says it spent, is taken off its life.
func (c *core) received(r reply, now int64) *storeValue {
	v := new(storeValue)
	c.receive(v, &r, now)
	return v
}

// receive is received into a value that is new.
func (c *core) receive(v *storeValue, r *reply, now int64) {
	res := &r.result
	v.Data, v.Owner = r.data, r.from
	v.Began = now - int64(min(fromMicros(res.Age), century)) - int64(r.trip)
	v.Expires = forever
	v.Origin = store.OriginOf(res.ETag, res.Version, res.Tags)
	if life := fromMicros(res.Life); life != NoExpiry {
		v.Expires = later(now, max(life, -century)-r.trip)
	}
	v.Until, v.Refresh = v.Expires, v.Expires
	if !c.coder.plain {
		v.Cost = 2 * int64(len(r.data))
	}
}
