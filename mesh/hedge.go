package mesh

import (
	"errors"
	"sync"
	"time"

	"github.com/cachemesh/cachemesh/internal/roster"
	"github.com/cachemesh/cachemesh/internal/wire"
)

// A member that does not say in time that a question has come is slow: the fetch asks
// the next in rank too, and whoever answers first lands it. A member that has said so is
// at work, and is waited for however long its load takes: a second load would be one
// too many. Those hedges are 5% of the fetches at most, and some tens saved up.
//
// A member of which nothing at all is heard while questions are on their way is silent.
// What it holds is asked elsewhere, all of it, and further questions go around it, but
// for one now and then, until it answers anything. What it was at work on is asked for
// again, to learn whether it still is.

const (
	hedgeShare = 20 // one hedge for so many fetches
	hedgeBurst = 32 // and so many saved up
)

// hedgeBudget bounds the hedges of members that are slow, not silent.
type hedgeBudget struct {
	mu    sync.Mutex // guards all below
	seen  uint64     // fetches that have been reckoned with
	spent uint64     // in fetches, of what has been saved up
}

// take reports whether one more hedge may be made after so many fetches.
func (b *hedgeBudget) take(fetches uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if fetches > b.seen {
		b.spent -= min(b.spent, fetches-b.seen)
		b.seen = fetches
	}
	if b.spent+hedgeShare > hedgeBurst*hedgeShare {
		return false
	}
	b.spent += hedgeShare
	return true
}

// hedge is the second question of a fetch, while the first is under way.
type hedge struct {
	mu    sync.Mutex // guards all below
	leave func()     // gives the second up
	over  bool       // the first has been answered, or nobody waits
	first bool       // the first has ended without an answer
	last  bool       // the second has: the first is waited for
}

// begun notes how to leave the second; it reports false, and leaves, if that is over already.
func (h *hedge) begun(leave func()) bool {
	h.mu.Lock()
	over := h.over
	h.leave = leave
	h.mu.Unlock()
	if over {
		leave()
	}
	return !over
}

// end gives the second up.
func (h *hedge) end() {
	if h == nil {
		return
	}
	h.mu.Lock()
	leave := h.leave
	h.over, h.leave = true, nil
	h.mu.Unlock()
	if leave != nil {
		leave()
	}
}

// goesOn reports whether the fetch is the second's to land: the first has no answer.
func (h *hedge) goesOn() bool {
	if h == nil {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.first = true
	return !h.last
}

// yields reports whether the fetch is the first's to land: the second has no answer.
func (h *hedge) yields() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last = true
	return !h.first
}

// hedge looks for questions that a slow or silent member holds, and has their fetches
// ask elsewhere. It says when to look again.
func (l *link) hedge() time.Duration {
	l.mu.Lock()
	idle := len(l.patience.unacked) == 0
	l.mu.Unlock()
	if idle || !l.m.connected() { // a lost connection is nobody else's fault
		return time.Hour
	}
	l.m.host.mu.Lock()
	heard := l.m.host.roster.Heard(l.id)
	l.m.host.mu.Unlock()

	now := l.m.clock.now()
	var late []*call // of fetches, each marked as hedged
	var ended []*call
	l.mu.Lock()
	waits := false // somebody, for a sign that a question has come
	for k := range l.calls.each {
		waits = waits || !k.working
	}
	was := l.patience.silent
	slow, next := l.patience.judge(waits, heard, now)
	silent := l.patience.silent
	turned := silent && !was
	l.silent.Store(silent)
	if slow == 0 && !turned {
		l.mu.Unlock()
		return untilNext(next, now)
	}
	probe := false
	for k := range l.calls.each {
		switch {
		case k.working && turned:
			k.due, probe = now, true
		case k.working || k.hedged || k.batch > slow && !turned:
		case k.fetch != nil && (silent || !k.taken && k.fetch.mayHedge()):
			late = append(late, k)
		case k.fetch == nil && silent && (k.kind == wire.AskGet || k.kind == wire.AskTakeOver):
			ended = append(ended, k)
		}
	}
	for _, k := range ended {
		l.calls.remove(k.number)
		l.queue.remove(k)
	}
	if silent {
		for k := range l.queue.each { // what could not be sent waits for nothing else
			if k.fetch != nil && !k.hedged && !k.again && (turned || now-k.began >= int64(l.patience.limit())) {
				late = append(late, k)
			}
		}
	}
	for _, k := range late {
		k.held.Store(true)
		k.hedged, k.fetch.hedge = true, new(hedge)
	}
	l.mu.Unlock()
	if turned {
		l.m.log.Info("cachemesh: a member does not react; questions go around it", "member", l.id)
	}
	if probe {
		next = now
	}
	for _, k := range late {
		k.fetch.askElsewhere(l, k)
	}
	l.fail(ended)
	return untilNext(next, now)
}

func untilNext(next, now int64) time.Duration {
	if next == forever {
		return time.Hour
	}
	return time.Duration(max(next-now, int64(time.Millisecond)))
}

// mayHedge reports whether a fetch of a slow member may be hedged: once, and within
// the budget.
func (r *fetch) mayHedge() bool {
	return !r.second && r.c.hedges.take(r.c.stats.fetches.Load())
}

// askElsewhere has a second fetch go around the member that holds k. It has a
// flight of its own, which nobody joins, and lands this one's if it is answered first.
func (r *fetch) askElsewhere(l *link, k *call) {
	h := r.hedge
	c, key := r.c, r.f.Key()
	f := c.seconds.Replace(key)
	s := &fetch{c: c, f: f, fill: c.store.Begin(key), o: r.o, route: r.route.Clone(), second: true}
	s.asked = 1 // the first was asked by r: none of the memory here serves again
	leave := f.Then(func(out outcome, err error) {
		if (errors.Is(err, ErrNoOwner) || errors.Is(err, ErrOverloaded)) && h.yields() {
			return
		}
		r.land(out, err)
		l.forget(k)
	})
	r.f.OnAbandon(func() {
		r.fill.End()
		l.forget(k)
		h.end()
	})
	if !h.begun(leave) {
		s.fill.End()
		return
	}
	c.stats.hedges.Add(1)
	s.goOn(s.route.Fail(c.m.cfg.ID, l.id, c.rank(key)))
}

// around is the way around a member that is silent, and others that are too; false
// if it leads nowhere.
func (r *fetch) around(id string) (roster.Step, bool) {
	c := r.c
	rank := c.rank(r.f.Key())
	route := r.route.Clone()
	s := route.Skip(c.m.cfg.ID, id, rank)
	for s.Ask != "" {
		if l := c.m.link(s.Ask); !l.quiet() && !l.suspected() {
			break
		}
		s = route.Skip(c.m.cfg.ID, s.Ask, rank)
	}
	if s.Load && c.loader.one == nil {
		return s, false
	}
	r.route = route
	return s, true
}

// quiet reports whether the member is silent still: nothing has been heard from it since,
// as after a cut that has healed.
func (l *link) quiet() bool {
	if !l.silent.Load() {
		return false
	}
	l.m.host.mu.Lock()
	heard := l.m.host.roster.Heard(l.id)
	l.m.host.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.patience.hears(heard)
	l.silent.Store(l.patience.silent)
	return l.patience.silent
}

// shunned reports whether questions go around the member, for it is silent. One is
// let through now and then.
func (l *link) shunned() bool {
	if !l.quiet() {
		return false
	}
	now := l.m.clock.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.patience.silent && !l.patience.turn(now)
}
