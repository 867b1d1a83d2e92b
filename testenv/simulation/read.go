package simulation

import (
	"hash/fnv"
	"slices"

	"github.com/cachemesh/cachemesh/internal/roster"
)

// entry is a value in memory; a value is known by when its load began.
type entry struct {
	loaded  int64
	expires int64
	owned   bool
	view    uint64
}

// hint says who has come to own a key, as it said itself when it asked for it.
type hint struct {
	who   string
	until int64
}

// flight fills one key for those who wait. owner: acting as owner, by a take-over
// or a load; else a fetch from the owner.
type flight struct {
	key        string
	epoch, gen int
	owner      bool
	loading    bool
	bypass     bool // of a fenced process: kept by nobody
	loadAt     int64
	done       bool
	waiters    []func(answer)
}

type answer struct {
	loaded int64 // 0: none
	hot    bool
}

// tagOf is the tag that the values of a key carry.
func tagOf(key string) string { return "t" + itoa(int(key[len(key)-1])%2) }

func covers(t roster.Target, key string) bool {
	switch t.Kind {
	case roster.ByKey:
		return t.Key == key
	case roster.ByTag:
		return t.Key == tagOf(key)
	}
	return true
}

// apply is R1: drop the values, detach the flights.
func (p *process) apply(t roster.Target) {
	for _, k := range p.w.keys {
		if !covers(t, k) {
			continue
		}
		p.epoch[k]++
		delete(p.store, k)
		if !p.w.JoinDetached {
			delete(p.owns, k)
			delete(p.fetches, k)
		}
	}
}

func rankOf(id, key string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(id))
	h.Write([]byte{0})
	h.Write([]byte(key))
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	return x ^ x>>33
}

// top ranks first for a key.
func top(ids []string, key string) (best string) {
	for _, id := range ids {
		if best == "" || rankOf(id, key) > rankOf(best, key) {
			best = id
		}
	}
	return best
}

func cacheOf(m *roster.Member) (c roster.Cache, open bool) {
	if len(m.Caches) == 0 {
		return c, false
	}
	return m.Caches[0], true
}

// first ranks first for a key among those who own the cache, less the ruled out.
func (p *process) first(key string, without []string) string {
	var ids []string
	for i := range p.view.Members {
		m := &p.view.Members[i]
		if c, open := cacheOf(m); open && c.Owned && !slices.Contains(without, m.ID) {
			ids = append(ids, m.ID)
		}
	}
	return top(ids, key)
}

// previous held a key before this member came to own it: who ranks first among
// the leavers and, while this member is young, the members older than it.
func (p *process) previous(key string) string {
	self, _ := p.view.Member(p.id)
	mine, _ := cacheOf(&self)
	young := p.clock()-mine.Since < window
	var ids []string
	for i := range p.view.Members {
		m := &p.view.Members[i]
		c, open := cacheOf(m)
		if m.Self {
			if !young {
				ids = append(ids, m.ID)
			}
			continue
		}
		if open && (m.Leaving || c.Owned && (!young || c.Since < mine.Since)) {
			ids = append(ids, m.ID)
		}
	}
	return top(ids, key)
}

// keeps reports whether values may be kept here (R9).
func (p *process) keeps() bool {
	self, _ := p.view.Member(p.id)
	return self.Joined && !p.closed && !p.fenced()
}

func (p *process) lookup(key string) *entry {
	e := p.store[key]
	if e == nil || e.expires <= p.w.now {
		delete(p.store, key)
		return nil
	}
	if e.view != p.view.Number {
		e.view = p.view.Number
		if e.owned && p.first(key, nil) != p.id {
			e.owned, e.expires = false, min(e.expires, p.w.now+replica)
		}
	}
	return e
}

// get reads once more where it has joined a fetch whose value ran out before it began.
func (p *process) get(key string, fresh bool, done func(answer)) {
	begun := p.w.now
	p.read(key, fresh, func(a answer) {
		if a.loaded > 0 && a.loaded+ttl < begun {
			p.get(key, fresh, done)
			return
		}
		done(a)
	})
}

func (p *process) read(key string, fresh bool, done func(answer)) {
	p.awake(func() {
		if p.fenced() {
			p.bypass(key, done)
			return
		}
		if e := p.lookup(key); e != nil && !fresh {
			done(answer{loaded: e.loaded})
			return
		}
		to := p.first(key, nil)
		if h, ok := p.hints[key]; ok && h.until > p.w.now && p.known(h.who) {
			to = h.who
		}
		var route roster.Route
		step := route.Start(p.id, to)
		if step.Own {
			p.own(key, fresh, done)
			return
		}
		if f := p.fetches[key]; f != nil && !fresh && p.joinable(f) {
			f.waiters = append(f.waiters, done)
			return
		}
		f := p.newFlight(key, false)
		f.waiters = append(f.waiters, done)
		p.fetches[key] = f
		p.fetch(f, &route, step, fresh)
	})
}

// bypass loads for a Get of a fenced process. It shares only a load that has not
// begun: of what was invalidated before the Get this process may know nothing.
func (p *process) bypass(key string, done func(answer)) {
	p.w.check.res.Bypassed++
	if f := p.gathering[key]; f != nil {
		f.waiters = append(f.waiters, done)
		return
	}
	f := p.newFlight(key, false)
	f.bypass, f.waiters = true, append(f.waiters, done)
	p.gathering[key] = f
	p.after(ms, func() {
		if !p.w.JoinBypass {
			delete(p.gathering, key)
		}
		p.load(f, true)
	})
}

func (p *process) known(id string) bool {
	inst, _ := p.r.Known(id)
	return inst.Inc != 0 && id != p.id
}

func (p *process) newFlight(key string, owner bool) *flight {
	return &flight{key: key, owner: owner, epoch: p.epoch[key], gen: p.gen}
}

// whole: no invalidation has detached it.
func (p *process) whole(f *flight) bool { return f.epoch == p.epoch[f.key] && f.gen == p.gen }

func (p *process) joinable(f *flight) bool {
	return !f.done && (p.w.JoinDetached || p.whole(f))
}

// finish answers who waits, and keeps the value unless the flight is detached.
func (p *process) finish(f *flight, a answer) {
	if f.done {
		return
	}
	f.done = true
	if p.gathering[f.key] == f {
		delete(p.gathering, f.key)
	}
	if p.owns[f.key] == f {
		delete(p.owns, f.key)
	}
	if p.fetches[f.key] == f {
		delete(p.fetches, f.key)
	}
	if a.loaded > 0 && !f.bypass && (p.whole(f) || p.w.KeepDetached) {
		p.keep(f.key, a, f.owner)
	}
	for _, done := range f.waiters {
		done(a)
	}
}

func (p *process) keep(key string, a answer, owner bool) {
	if e := p.store[key]; !p.keeps() || e != nil && e.loaded > a.loaded { // an older load never replaces a newer
		return
	}
	if owner && p.first(key, nil) == p.id {
		p.store[key] = &entry{loaded: a.loaded, expires: a.loaded + ttl, owned: true, view: p.view.Number}
		return
	}
	delete(p.store, key)
	if a.hot || owner {
		p.store[key] = &entry{loaded: a.loaded, expires: min(a.loaded+ttl, p.w.now+replica), view: p.view.Number}
	}
}

// own acts as owner: joins or starts the flight that takes over or loads.
func (p *process) own(key string, fresh bool, done func(answer)) {
	if f := p.owns[key]; f != nil && !fresh && p.joinable(f) {
		f.waiters = append(f.waiters, done)
		return
	}
	f := p.newFlight(key, true)
	f.waiters = append(f.waiters, done)
	p.owns[key] = f
	if before := p.previous(key); !fresh && before != p.id && before != "" {
		p.takeOver(f, before)
		return
	}
	p.load(f, fresh)
}

func (p *process) takeOver(f *flight, from string) {
	p.ask(from, question{takeOver: true, key: f.key}, func(r reply) {
		p.w.logf("%v takes %s over from %s: %v", p, f.key, from, r.ok)
		if r.ok {
			p.finish(f, r.answer)
		} else if e := p.lookup(f.key); e != nil && p.whole(f) { // a Set has put it here meanwhile
			p.finish(f, answer{loaded: e.loaded})
		} else if len(f.waiters) == 0 {
			p.finish(f, answer{})
		} else {
			p.load(f, false)
		}
	})
}

// pull is an heir's flight for what another holds: no load behind it unless
// somebody waits.
func (p *process) pull(key, from string) {
	p.awake(func() {
		if p.fenced() || p.lookup(key) != nil || p.owns[key] != nil && p.joinable(p.owns[key]) {
			return
		}
		f := p.newFlight(key, true)
		p.owns[key] = f
		p.takeOver(f, from)
	})
}

func (p *process) load(f *flight, fresh bool) {
	f.loading, f.loadAt = true, p.w.now
	p.w.check.load(p, f.key, fresh)
	p.w.logf("%v loads %s", p, f.key)
	d := ms + p.w.upTo(20*ms)
	if p.w.chance(0.1) {
		d = p.w.upTo(4 * second)
	}
	p.after(d, func() { p.finish(f, answer{loaded: f.loadAt, hot: p.w.chance(0.3)}) })
}

// fetch follows the route of one fetch to its end.
func (p *process) fetch(f *flight, route *roster.Route, step roster.Step, fresh bool) {
	switch {
	case step.Own:
		p.own(f.key, fresh, func(a answer) { p.finish(f, a) })
		return
	case step.Load:
		p.w.check.res.LastResort++
		p.w.logf("%v LAST RESORT for %s, ruled out %v", p, f.key, route.RuledOut())
		p.load(f, fresh)
		return
	}
	rank := func(without []string) string { return p.first(f.key, without) }
	to := step.Ask
	p.ask(to, question{key: f.key, without: route.RuledOut(), fresh: fresh}, func(r reply) {
		p.look()
		switch {
		case r.ok:
			p.finish(f, r.answer)
		case r.instead != "":
			p.fetch(f, route, route.Redirect(p.id, to, r.instead, rank), fresh)
		default:
			delete(p.hints, f.key)
			p.fetch(f, route, route.Fail(p.id, to, rank), fresh)
		}
	})
}
