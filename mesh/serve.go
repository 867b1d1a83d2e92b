package mesh

import (
	"time"

	"github.com/nats-io/nats.go"

	"github.com/cachemesh/cachemesh/internal/roster"
	"github.com/cachemesh/cachemesh/internal/wire"
)

// asker is who has asked a question: what a late answer needs.
type asker struct {
	id       string
	inc      uint64
	received int64 // when
}

// onAsk answers a batch of questions: what memory holds at once, what has to be
// loaded later. The questions carry what the asker has applied and this member has
// not shown: that is applied first (rule R3).
func (m *Mesh) onAsk(msg *nats.Msg) {
	sender, ok := wire.Sender(msg.Subject)
	if !ok {
		return
	}
	ask := &m.ask
	if err := wire.DecodeAskInto(ask, msg.Data); err != nil {
		m.dropped.note(m, msg.Subject, err)
		return
	}
	by := asker{id: sender, inc: ask.Inc, received: m.clock.now()}
	if sender == m.cfg.ID {
		if x := (batchOf{lull: ask.Batch}); ask.Inc == m.host.inc() && !m.backlog.keep(x, m.host.asleep(by.received)) {
			m.backlog.look(x)
		}
		return
	}
	m.heard.Store(by.received)
	m.backlog.came(by.received)
	if own := ask.To == m.host.inc(); !own && (ask.To != 0 || m.displaced()) {
		if !m.displaced() { // else the other one of this ID is meant, and answers
			m.refuse(by, ask)
		}
		return
	}
	if len(ask.Bases)+len(ask.Records) > 0 {
		carry := fromCarry(ask.Bases, ask.Records)
		m.host.step(func(r *roster.Roster, now int64) roster.Effects { return r.Take(now, carry) })
	}
	if x := (batchOf{by: by, ask: ask}); !m.backlog.keep(x, m.host.asleep(by.received)) {
		m.backlog.look(x)
	}
}

// refuse answers questions that are meant for another incarnation.
func (m *Mesh) refuse(by asker, ask *wire.Ask) {
	p := newPart(m, by, ask.Batch)
	defer p.done()
	for i := range ask.Questions {
		if q := &ask.Questions[i]; q.Kind != wire.AskCancel {
			p.add(&wire.Result{Number: q.Number, Status: wire.Stranger}, nil)
		}
	}
}

// serve goes through a batch. Its first part says that the batch has come.
func (m *Mesh) serve(by asker, ask *wire.Ask) {
	p := newPart(m, by, ask.Batch)
	if len(ask.Questions) > 1 { // what has to be loaded for one message is loaded together
		for _, name := range ask.Caches {
			if c := m.cache(name); c != nil {
				c.batch.hold()
				defer c.batch.release()
			}
		}
	}
	defer p.done() // before the loads: who asks learns that the questions have come
	var c *core    // of the question before
	near := 0      // questions of which what is held has been brought near
	for i := range ask.Questions {
		if i == near && len(ask.Questions) > 1 {
			near += m.bringAsked(ask, i)
		}
		q := &ask.Questions[i]
		var res wire.Result
		var value []byte
		var now bool
		switch q.Kind {
		case wire.AskCancel:
			if leave, _ := m.serving.take(askedID{by.id, by.inc, q.Number}); leave != nil {
				leave()
			}
			continue
		case wire.AskChunk:
			res, value = m.transfers.piece(q, by.received)
			now = true
		default:
			if name := ask.Caches[q.Cache]; c == nil || c.name != name {
				c = m.cache(name)
			}
			if c == nil {
				res, now = wire.Result{Status: wire.Stranger}, true
				break
			}
			res, value, now = c.serve(by, q)
			if !mayBurst(&res, value, p.total) {
				res, value = askAgain(value), nil
			}
		}
		if now {
			res.Number = q.Number
			p.add(&res, value)
		}
	}
}

// serve answers one question, now if it can; else its answer goes out when it is known.
func (c *core) serve(by asker, q *wire.Question) (res wire.Result, value []byte, now bool) {
	if c.m.host.fenced(c.m.clock.now()) { // another must be asked, or nobody
		if q.Kind == wire.AskGet {
			return wire.Result{Status: wire.Stranger}, nil, true
		}
		return wire.Result{Status: wire.Nothing}, nil, true
	}
	select {
	case <-c.opened:
	default: // until the opening is confirmed nobody knows who owns what
		c.serveOpened(by, q)
		return res, nil, false
	}
	switch q.Kind {
	case wire.AskGet:
		return c.serveGet(by, q)
	case wire.AskTakeOver:
		return c.serveTakeOver(by, q)
	case wire.AskPull:
		id := askedID{by.id, by.inc, q.Number}
		if _, fresh := c.m.serving.begin(id); fresh {
			number := q.Number
			c.blank.unsaid(by.id)
			c.pull(string(q.Key), by.id, pullTries, func(pulled bool) {
				res := wire.Result{Status: wire.Pulled}
				if !pulled {
					res.Status = wire.Nothing
				}
				c.late(by, number, res, nil)
			})
		}
		return res, nil, false
	}
	return wire.Result{Status: wire.Stranger}, nil, true
}

// serveOpened serves once the opening has been confirmed.
func (c *core) serveOpened(by asker, asked *wire.Question) {
	later := *asked // whose memory serves the next message
	q := &later
	id := askedID{by.id, by.inc, q.Number}
	if _, fresh := c.m.serving.begin(id); !fresh {
		return
	}
	go func() {
		select {
		case <-c.opened:
		case <-c.m.done:
			return
		}
		if _, under := c.m.serving.take(id); !under { // it has been cancelled
			return
		}
		if res, value, now := c.serve(by, q); now {
			c.send(by, q.Number, res, value)
		}
	}()
}

// serveGet serves as the owner, or names who would be asked.
func (c *core) serveGet(by asker, q *wire.Question) (wire.Result, []byte, bool) {
	key, self := stringOf(q.Key), c.m.cfg.ID // in the message's memory, for as long as nobody keeps it
	c.stats.served.Add(1)
	c.blank.use()
	first := ""
	if hinted := c.hints.get(key, by.received); hinted != "" && hinted != by.id && !contains(q.RuledOut, hinted) {
		first = hinted
	} else if len(q.RuledOut) == 0 {
		first = c.share(c.m.host.current(by.received)).owners.Owner(key)
	} else {
		first = c.rank(key)(q.RuledOut)
	}
	o := readOptions{
		fresh: q.Flags&wire.FlagFresh != 0, cachedOnly: q.Flags&wire.FlagCachedOnly != 0,
		maxAge: fromMicros(q.MaxAge), trace: q.Trace, began: by.received,
	}
	if first != self && len(q.RuledOut) > 0 {
		if res, data, held := c.serveHeld(by, key, o); held {
			return res, data, true
		}
	}
	switch first {
	case self:
	case "":
		return wire.Result{Status: wire.Stranger}, nil, true
	default:
		return wire.Result{Status: wire.NotMine, Instead: first}, nil, true
	}
	if v := c.store.Get(key, by.received); v != nil && !o.fresh && c.stands(v, by.received) && !o.tooOld(v, by.received) {
		if vw := c.m.host.view.Load(); v.View.Load() != vw.Number {
			c.restamp(string(q.Key), v, vw, by.received)
		}
		if by.received >= v.Refresh && !o.cachedOnly {
			c.renew(string(q.Key), v, by.received, o.trace)
		}
		res, data := c.resultFor(v, by.received) // as it was then: no time has been spent since
		c.verdict(&res, v, 1+q.Reads, by.received)
		return res, data, true
	}
	if o.cachedOnly {
		return wire.Result{Status: wire.Nothing}, nil, true
	}
	key = string(q.Key)
	with := o // what is kept for later: o itself stays off the heap
	id := askedID{by.id, by.inc, q.Number}
	if again, fresh := c.m.serving.begin(id); !fresh {
		return again, nil, again.Status != 0
	}
	number := q.Number
	held := c.m.backlog.hold(func() {
		if c.m.serving.has(id) { // nobody has given up meanwhile
			c.serveLoad(by, number, key, with)
		}
	})
	if !held {
		c.serveLoad(by, number, key, with)
	}
	return wire.Result{}, nil, false
}

// serveHeld serves what this member may still answer its own readers with, although
// another owns the key: while parts of a mesh come together again, who asks may not reach
// the owner yet, and this member may have stood in for it until a moment ago.
func (c *core) serveHeld(by asker, key string, o readOptions) (res wire.Result, value []byte, held bool) {
	v := c.store.Get(key, by.received)
	if v == nil || o.fresh || !c.stands(v, by.received) || o.tooOld(v, by.received) {
		return res, nil, false
	}
	res, value = c.resultFor(v, by.received)
	return res, value, true
}

// serveLoad serves by a flight of this member as the owner.
func (c *core) serveLoad(by asker, number uint64, key string, o readOptions) {
	f := c.own(key, &o)
	if f.Phase() < phaseLoading {
		tell := func(waits bool) {
			res := wire.Result{Status: wire.Working}
			if waits {
				res.Flags = wire.FlagQueued
			}
			c.send(by, number, res, nil)
		}
		c.queued.add(f, tell)
		switch f.Phase() {
		case phaseQueued:
			tell(true)
		case phaseLoading: // it has begun just now
			c.queued.started(f)
		}
	}
	old := c.fallback(key, &o)
	c.serveFlight(by, number, f, o)
	if old != nil {
		c.serveSoftly(by, number, f, old)
	}
}

// verdict marks a value as hot if others read it often: n times more now.
func (c *core) verdict(res *wire.Result, v *storeValue, n uint32, now int64) {
	if heat(v, n, now) && now < v.Refresh && !v.NotFound {
		res.Flags |= wire.FlagHot
		c.stats.grants.Add(1)
	}
}

// serveTakeOver gives what is held or being loaded to a member that says it has
// come to own the key.
func (c *core) serveTakeOver(by asker, q *wire.Question) (wire.Result, []byte, bool) {
	key := string(q.Key)
	c.stats.takeOversServed.Add(1)
	vw := c.m.host.current(by.received)
	if q.Flags&wire.FlagOwner != 0 && c.share(vw).owners.Owner(key) == c.m.cfg.ID {
		c.hints.put(key, by.id, by.received) // the view here has not heard of it yet
	}
	v := c.offers.get(key)
	if v == nil {
		// What has run out as a replica is still fresh for an owner, and what is
		// stale may be answered by one.
		if v = c.store.Peek(key); v != nil && by.received >= c.worthless(v) {
			v = nil
		}
	}
	if v != nil {
		res, data := c.resultFor(v, by.received)
		return res, data, true
	}
	id := askedID{by.id, by.inc, q.Number}
	if again, fresh := c.m.serving.begin(id); !fresh {
		return again, nil, again.Status != 0
	}
	f := c.owns.JoinIf(key, func(f *flight) bool { return f.Phase() >= phaseGathering })
	if f == nil {
		c.m.serving.end(id)
		res := wire.Result{Status: wire.Nothing}
		if c.blank.before(by.id, by.inc) {
			res.Flags = wire.FlagBlank
		}
		return res, nil, true
	}
	c.serveFlight(by, q.Number, f, readOptions{})
	return wire.Result{}, nil, false
}

// worthless is when v, whatever it is held as, answers nobody any more, even as stale: an
// absence is never stale, nor is what its origin lets nobody keep at all.
func (c *core) worthless(v *storeValue) int64 {
	if v.NotFound || v.Expires <= v.Began {
		return v.Expires
	}
	return later(v.Expires, c.opts.staleWindow())
}

// serveFlight answers a question with what a flight lands with.
func (c *core) serveFlight(by asker, number uint64, f *flight, o readOptions) {
	leave := f.Then(func(out outcome, err error) {
		c.queued.take(f)
		if err == nil {
			with := o // o itself would be kept elsewhere
			err = out.err(&with, c.m.clock.now())
		}
		if err == nil {
			err = c.absent(f.Key(), out)
		}
		if err != nil {
			res := resultOf(err)
			c.m.serving.fail(askedID{by.id, by.inc, number}, res)
			c.late(by, number, res, nil)
			return
		}
		res, data := c.resultFor(out.value, c.m.clock.now())
		switch out.source {
		case Loaded:
			res.Flags |= wire.FlagLoaded
		case Bypass:
			res.Flags |= wire.FlagNoKeep | wire.FlagLoaded
		}
		c.verdict(&res, out.value, 1, by.received)
		c.late(by, number, res, data)
	})
	if !c.m.serving.leaves(askedID{by.id, by.inc, number}, leave) {
		leave() // it has been cancelled meanwhile
	}
}

// late sends the answer to a question that was under way, unless it has been cancelled.
func (c *core) late(by asker, number uint64, res wire.Result, value []byte) {
	c.m.serving.answer(askedID{by.id, by.inc, number}, func() { c.send(by, number, res, value) })
}

func (c *core) send(by asker, number uint64, res wire.Result, value []byte) {
	res.Number, res.Length = number, int64(len(value))
	res.Spent = (c.m.clock.now() - by.received) / int64(time.Microsecond)
	c.m.link(by.id).reply(lateAnswer{inc: by.inc, result: res, value: value})
}

// resultFor describes a value. One that is too large for a message is announced, to
// be pulled in pieces.
func (c *core) resultFor(v *storeValue, now int64) (wire.Result, []byte) {
	age := micros(time.Duration(now - v.Began))
	if v.NotFound {
		res := wire.Result{Status: wire.NotFound, Age: max(age, 0)}
		if v.Owner != c.m.cfg.ID {
			res.Owner = v.Owner // who found that there is none
		}
		return res, nil
	}
	res := wire.Result{
		Status: wire.Value, Age: max(age, 0), Life: micros(left(v.Expires, now)),
		ETag: v.ETag(), Version: v.Version(), Tags: v.Tags(),
	}
	if now >= v.Expires {
		res.Flags |= wire.FlagStale
	}
	if len(v.Data) > c.m.inlineLimit() {
		res.Status = wire.Chunked
		res.Size = int64(len(v.Data))
		res.Transfer = c.m.transfers.open(v.Data, now)
		return res, nil
	}
	return res, v.Data
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}
