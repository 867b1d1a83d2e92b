package simulation

import (
	"slices"

	"github.com/cachemesh/cachemesh/internal/roster"
)

// question is what one member asks another about a key.
type question struct {
	takeOver bool
	key      string
	without  []string
	fresh    bool
	inst     roster.Instance // whom it is for
	carry    roster.Carry
}

type reply struct {
	ok      bool
	answer  answer
	instead string // "not mine, ask": this member
}

type call struct {
	q     question
	done  func(reply)
	begun int64
}

// ask asks until it is answered, or the asked one is known to be gone.
func (p *process) ask(to string, q question, done func(reply)) {
	q.inst, _ = p.r.Known(to)
	p.callSeq++
	q.carry = p.r.CarryTo(q.inst, keyTarget(q.key), p.carryRoom())
	p.calls[p.callSeq] = &call{q, done, p.w.now}
	p.try(p.callSeq)
}

// carryRoom is how many bytes of records go along with a question: now and then none.
func (p *process) carryRoom() int {
	if p.callSeq%16 == 0 {
		return 0
	}
	return 1 << 20
}

func (p *process) try(no int) {
	c := p.calls[no]
	if c == nil {
		return
	}
	p.look()
	inst, waits := p.r.Known(c.q.inst.ID)
	age := p.w.now - c.begun
	if inst != c.q.inst || inst.Inc == 0 || age > askLimit || !waits && age > lease {
		p.answered(no, reply{})
		return
	}
	from, q := p.r.Self(), c.q
	back := func(x *process, r reply) {
		x.w.send(x, from.ID, func(y *process) {
			if y == p {
				y.answered(no, r)
			}
		}, nil)
	}
	p.w.send(p, q.inst.ID, func(x *process) {
		if x.r.Self() != q.inst {
			back(x, reply{})
			return
		}
		x.serve(from.ID, q, func(r reply) { back(x, r) })
	}, func() {
		p.r.Suspect(p.clock(), q.inst.ID)
		p.answered(no, reply{})
	})
	p.after(rto, func() { p.try(no) })
}

func (p *process) answered(no int, r reply) {
	if c := p.calls[no]; c != nil {
		delete(p.calls, no)
		c.done(r)
	}
}

// serve answers from memory, by joining or starting a flight of its own, or by
// naming another. A served question never travels on: it joins no fetch.
func (p *process) serve(from string, q question, end func(reply)) {
	p.awake(func() {
		p.take(q.carry)
		give := func(a answer) { end(reply{ok: a.loaded > 0, answer: a}) }
		if p.fenced() {
			end(reply{})
			return
		}
		if q.takeOver {
			p.hand(from, q.key, give)
			return
		}
		first := p.first(q.key, q.without)
		if h, ok := p.hints[q.key]; ok && h.until > p.w.now && p.known(h.who) && !slices.Contains(q.without, h.who) && h.who != from {
			first = h.who
		}
		if first != p.id {
			end(reply{instead: first})
			return
		}
		if e := p.lookup(q.key); e != nil && !q.fresh {
			end(reply{ok: true, answer: answer{loaded: e.loaded, hot: p.w.chance(0.3)}})
			return
		}
		p.own(q.key, q.fresh, give)
	})
}

// hand answers a take-over: from memory, or with the end of a load under way.
func (p *process) hand(from, key string, give func(answer)) {
	if p.first(key, nil) == p.id || p.leaving {
		p.hints[key] = hint{from, p.w.now + window}
	}
	e, f := p.lookup(key), p.owns[key]
	switch {
	case e != nil:
		give(answer{loaded: e.loaded})
	case f != nil && p.joinable(f) && f.loading:
		f.waiters = append(f.waiters, give)
	default:
		give(answer{})
	}
}

// invalidate calls end once: when all have confirmed, or after within with who is missing.
func (p *process) invalidate(targets []roster.Target, o *operation, within int64, end func(ok bool, missing []string)) {
	p.w.check.issuing = o
	op, e := p.r.Invalidate(p.clock(), targets)
	o.id = op
	p.pending = append(p.pending, o)
	p.ends[op] = end
	p.carryOut(e)
	p.after(within, func() {
		if end := p.ends[op]; end != nil {
			p.carryOut(p.r.Tick(p.clock()))
			if p.ends[op] == nil {
				return
			}
			delete(p.ends, op)
			end(false, p.r.Missing(p.clock(), op))
		}
	})
}

// set keeps the value at home from the step that invalidates there, and then
// tells the owner to pull it: a flight like others (R8).
func (p *process) set(key string, o *operation, within int64, end func(ok bool, missing []string)) {
	if p.w.KeepSetsLate || p.w.PushSets {
		p.setBadly(key, o, within, end)
		return
	}
	p.onApplied = func() { p.keep(key, answer{loaded: o.began, hot: true}, p.first(key, nil) == p.id) }
	p.invalidate(keyTarget(key), o, within, func(ok bool, missing []string) {
		if e := p.lookup(key); e != nil && e.loaded == o.began {
			if to := p.first(key, nil); to != "" && to != p.id {
				p.offer(to, key)
			}
		}
		end(ok, missing)
	})
}

// setBadly keeps the value of a Set without a flight, where R8 asks for one.
func (p *process) setBadly(key string, o *operation, within int64, end func(ok bool, missing []string)) {
	p.invalidate(keyTarget(key), o, within, func(ok bool, missing []string) {
		value := answer{loaded: o.began, hot: true}
		if p.w.KeepSetsLate {
			p.keep(key, value, p.first(key, nil) == p.id)
		} else if to := p.first(key, nil); to != "" && to != p.id {
			p.w.send(p, to, func(x *process) { x.keep(key, value, true) }, nil)
		}
		end(ok, missing)
	})
}
