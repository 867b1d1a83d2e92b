package mesh

import (
	"errors"
	"fmt"
	"sync"
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

// askedID names a question of another member.
type askedID struct {
	id     string
	inc    uint64
	number uint64
}

// mostFailed is how many failures are remembered for repetitions of their questions.
const mostFailed = 1024

// serving is the questions of others that are under way. A repetition of one
// that is starts nothing; nor does that of one that has just failed, whose answer
// it has crossed. (What has not failed is found in memory.)
type serving struct {
	mu    sync.Mutex         // guards all below
	under map[askedID]func() // to leave what the question waits for
	// answering is how many have ended and are being answered.
	answering int
	quiet     chan struct{}           // closed when under is empty next; nil: nobody waits for that
	failed    map[askedID]wire.Result // the latest failures
	order     []askedID               // of them, the oldest first
}

func (s *serving) init() {
	s.under = map[askedID]func(){}
	s.failed = map[askedID]wire.Result{}
}

// begin notes a question, and reports whether it is new. again is the answer to one
// that has failed before.
func (s *serving) begin(id askedID) (again wire.Result, fresh bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if res, ok := s.failed[id]; ok {
		return res, false
	}
	if _, ok := s.under[id]; ok {
		return wire.Result{}, false
	}
	s.under[id] = nil
	return wire.Result{}, true
}

// fail notes with which answer a question failed.
func (s *serving) fail(id askedID, res wire.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.order) == mostFailed {
		delete(s.failed, s.order[0])
		s.order = s.order[1:]
	}
	s.failed[id] = res
	s.order = append(s.order, id)
}

// leaves notes how to leave what the question waits for. If it has ended already, nothing is noted.
func (s *serving) leaves(id askedID, leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.under[id]; ok {
		s.under[id] = leave
	}
}

// end forgets a question.
func (s *serving) end(id askedID) { s.take(id) }

// take forgets a question. It gives what leaves its flight, and whether it was
// under way: then it falls to the caller to answer it.
func (s *serving) take(id askedID) (leave func(), under bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	leave, under = s.under[id]
	delete(s.under, id)
	s.settle()
	return leave, under
}

// answer has send answer a question, and ends it; nothing if it has ended before.
// Until the answer is on its way the question is under way.
func (s *serving) answer(id askedID, send func()) {
	s.mu.Lock()
	_, under := s.under[id]
	if under {
		delete(s.under, id)
		s.answering++
	}
	s.mu.Unlock()
	if !under {
		return
	}
	send()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answering--
	s.settle()
}

// settle tells who waits for it that nothing is under way. mu is held.
func (s *serving) settle() {
	if len(s.under)+s.answering == 0 && s.quiet != nil {
		close(s.quiet)
		s.quiet = nil
	}
}

// idle is nil when nothing is under way, else closed when that is so.
func (s *serving) idle() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.under)+s.answering == 0 {
		return nil
	}
	if s.quiet == nil {
		s.quiet = make(chan struct{})
	}
	return s.quiet
}

// onAsk answers a batch of questions: what memory holds at once, what has to be
// loaded later. The questions carry what the asker has applied and this member has
// not shown: that is applied first (rule R3).
func (m *Mesh) onAsk(msg *nats.Msg) {
	sender, ok := wire.Sender(msg.Subject)
	if !ok || sender == m.cfg.ID {
		return
	}
	ask, err := wire.DecodeAsk(msg.Data)
	if err != nil {
		m.dropped.note(m, msg.Subject, err)
		return
	}
	by := asker{id: sender, inc: ask.Inc, received: m.clock.now()}
	if ask.To != 0 && ask.To != m.host.inc() {
		m.refuse(by, ask)
		return
	}
	if len(ask.Bases)+len(ask.Records) > 0 {
		carry := fromCarry(ask.Bases, ask.Records)
		m.host.step(func(r *roster.Roster, now int64) roster.Effects { return r.Take(now, carry) })
	}
	if m.host.asleep(by.received) {
		go m.serveAwake(by, ask)
		return
	}
	m.serve(by, ask)
}

// serveAwake serves after the round that follows a stop.
func (m *Mesh) serveAwake(by asker, ask *wire.Ask) {
	if over := m.host.wake(); over != nil {
		bound := time.NewTimer(m.cfg.Lease + m.cfg.Heartbeat)
		defer bound.Stop()
		select {
		case <-over:
		case <-bound.C:
		case <-m.done:
			return
		}
	}
	m.serve(by, ask)
}

// refuse answers questions that are meant for another incarnation.
func (m *Mesh) refuse(by asker, ask *wire.Ask) {
	p := newPart(m, by, ask.Batch)
	defer p.done()
	for i := range ask.Questions {
		if q := &ask.Questions[i]; q.Kind != wire.AskCancel {
			p.add(wire.Result{Number: q.Number, Status: wire.Stranger}, nil)
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
	for i := range ask.Questions {
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
			c := m.cache(ask.Caches[q.Cache])
			if c == nil {
				res, now = wire.Result{Status: wire.Stranger}, true
				break
			}
			res, value, now = c.serve(by, q)
		}
		if now {
			res.Number = q.Number
			p.add(m.inPieces(res, value, p.total, by.received))
		}
	}
}

// part gathers results until they are sent as one message.
type part struct {
	m       *Mesh
	by      asker
	batch   uint64 // named in the first message
	results []wire.Result
	values  [][]byte
	size    int
	total   int // bytes of values in all its messages
	sent    bool
	buf     []byte
}

var parts = sync.Pool{New: func() any { return new(part) }}

func newPart(m *Mesh, by asker, batch uint64) *part {
	p := parts.Get().(*part)
	*p = part{m: m, by: by, batch: batch, results: p.results, values: p.values, buf: p.buf}
	return p
}

// done sends what is left, and gives the memory back.
func (p *part) done() {
	p.send()
	p.m = nil
	parts.Put(p)
}

func (p *part) add(res wire.Result, value []byte) {
	res.Length = int64(len(value))
	res.Spent = (p.m.clock.now() - p.by.received) / int64(time.Microsecond)
	if p.size > 0 && p.size+sizeOf(&res, value) > answerPart {
		p.send()
	}
	p.results = append(p.results, res)
	if len(value) > 0 {
		p.values = append(p.values, value)
	}
	p.size += sizeOf(&res, value)
	p.total += len(value)
}

// sizeOf is about what a result takes in a message.
func sizeOf(res *wire.Result, value []byte) int {
	size := 64 + len(value) + len(res.Error) + len(res.ETag)
	for _, tag := range res.Tags {
		size += len(tag) + 3
	}
	return size
}

// send sends what has gathered. The first message goes out even when it is empty.
func (p *part) send() {
	if len(p.results) == 0 && p.sent {
		return
	}
	a := &wire.Answer{Inc: p.m.host.inc(), To: p.by.inc, Batch: p.batch, Results: p.results}
	p.buf = p.m.sendAnswer(p.buf, p.by.id, a, p.values)
	clear(p.results)
	clear(p.values)
	p.batch, p.results, p.values, p.size, p.sent = 0, p.results[:0], p.values[:0], 0, true
}

// sendAnswer sends an answer, encoded in buf, which it gives back.
func (m *Mesh) sendAnswer(buf []byte, to string, a *wire.Answer, values [][]byte) []byte {
	data, err := wire.AppendAnswer(buf[:0], a, values...)
	if err != nil {
		m.log.Error("cachemesh: cannot encode an answer", "error", err)
		return buf
	}
	err = m.nc.Publish(m.subj.Answer(to), data)
	if errors.Is(err, nats.ErrMaxPayload) && len(a.Results) == 1 && a.Results[0].Status != wire.Failed {
		a.Results[0] = wire.Result{Number: a.Results[0].Number, Status: wire.Failed, Error: fmt.Sprintf(
			"mesh: the answer takes %d bytes with the tags and the ETag, and a message on this NATS %d", len(data), m.nc.MaxPayload())}
		return m.sendAnswer(data, to, a, nil)
	}
	if err != nil && !m.closed.Load() {
		m.log.Debug("cachemesh: not sent", "to", to, "error", err)
	}
	return data
}

// flushAnswers sends the late answers that have gathered, and reports whether
// there were any.
func (l *link) flushAnswers() bool {
	l.sending.Lock()
	defer l.sending.Unlock()
	l.mu.Lock()
	late := l.answers
	l.answers = nil
	l.mu.Unlock()
	if len(late) == 0 {
		return false
	}
	total, now := 0, l.m.clock.now()
	for len(late) > 0 {
		inc := late[0].inc
		a := &wire.Answer{Inc: l.m.host.inc(), To: inc}
		var values [][]byte
		size, n := 0, 0
		for _, x := range late {
			x.result, x.value = l.m.inPieces(x.result, x.value, total, now)
			if x.inc != inc || n > 0 && size+sizeOf(&x.result, x.value) > answerPart {
				break
			}
			a.Results = append(a.Results, x.result)
			if len(x.value) > 0 {
				values = append(values, x.value)
			}
			size += sizeOf(&x.result, x.value)
			total += len(x.value)
			n++
		}
		l.answerBuf = l.m.sendAnswer(l.answerBuf, l.id, a, values)
		late = late[n:]
	}
	return true
}

// serve answers one question, now if it can; else its answer goes out when it is known.
func (c *core) serve(by asker, q *wire.Question) (res wire.Result, value []byte, now bool) {
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
func (c *core) serveOpened(by asker, q *wire.Question) {
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
		c.m.serving.end(id) // the question begins anew
		if res, value, now := c.serve(by, q); now {
			c.send(by, q.Number, res, value)
		}
	}()
}

// serveGet serves as the owner, or names who would be asked.
func (c *core) serveGet(by asker, q *wire.Question) (wire.Result, []byte, bool) {
	key, self := string(q.Key), c.m.cfg.ID
	c.stats.served.Add(1)
	first := ""
	if hinted := c.hints.get(key, by.received); hinted != "" && hinted != by.id && !contains(q.RuledOut, hinted) {
		first = hinted
	} else if len(q.RuledOut) == 0 {
		first = c.m.host.current(by.received).share(c.name).owners.Owner(key)
	} else {
		first = c.rank(key)(q.RuledOut)
	}
	switch first {
	case self:
	case "":
		return wire.Result{Status: wire.Stranger}, nil, true
	default:
		return wire.Result{Status: wire.NotMine, Instead: first}, nil, true
	}
	o := readOptions{
		fresh: q.Flags&wire.FlagFresh != 0, cachedOnly: q.Flags&wire.FlagCachedOnly != 0,
		maxAge: fromMicros(q.MaxAge), trace: q.Trace, began: by.received,
	}
	if v := c.store.Get(key, by.received); v != nil && !o.fresh && c.stands(v, by.received) && !o.tooOld(v, by.received) {
		if vw := c.m.host.view.Load(); v.View.Load() != vw.Number {
			c.restamp(key, v, vw, by.received)
		}
		if by.received >= v.Refresh && !o.cachedOnly {
			c.renew(key, v, by.received, o.trace)
		}
		res, data := c.resultFor(v, c.m.clock.now())
		c.verdict(&res, v, 1+q.Reads, by.received)
		return res, data, true
	}
	if o.cachedOnly {
		return wire.Result{Status: wire.Nothing}, nil, true
	}
	id := askedID{by.id, by.inc, q.Number}
	if again, fresh := c.m.serving.begin(id); !fresh {
		return again, nil, again.Status != 0
	}
	f := c.own(key, o)
	if f.Phase() < phaseLoading {
		number := q.Number
		tell := func(waits bool) {
			res := wire.Result{Status: wire.Working}
			if waits {
				res.Flags = wire.FlagQueued
			}
			c.send(by, number, res, nil)
		}
		c.queued.add(f, tell)
		if f.Phase() == phaseQueued {
			tell(true)
		}
	}
	old := c.fallback(key, o)
	c.serveFlight(by, q.Number, f, o)
	if old != nil {
		c.serveSoftly(by, q.Number, f, old)
	}
	return wire.Result{}, nil, false
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
	if q.Flags&wire.FlagOwner != 0 && vw.share(c.name).owners.Owner(key) == c.m.cfg.ID {
		c.hints.put(key, by.id, by.received) // the view here has not heard of it yet
	}
	v := c.offers.get(key)
	if v == nil {
		// What has run out as a replica is still fresh for an owner, and what is
		// stale may be answered by one.
		if v = c.store.Peek(key); v != nil && by.received >= later(v.Expires, c.opts.staleWindow()) {
			v = nil
		}
	}
	if v != nil {
		res, data := c.resultFor(v, c.m.clock.now())
		return res, data, true
	}
	id := askedID{by.id, by.inc, q.Number}
	if again, fresh := c.m.serving.begin(id); !fresh {
		return again, nil, again.Status != 0
	}
	f := c.owns.JoinIf(key, func(f *flight) bool { return f.Phase() >= phaseGathering })
	if f == nil {
		c.m.serving.end(id)
		return wire.Result{Status: wire.Nothing}, nil, true
	}
	c.serveFlight(by, q.Number, f, readOptions{})
	return wire.Result{}, nil, false
}

// serveFlight answers a question with what a flight lands with.
func (c *core) serveFlight(by asker, number uint64, f *flight, o readOptions) {
	leave := f.Then(func(out outcome, err error) {
		c.queued.take(f)
		if err == nil {
			err = out.err(o, c.m.clock.now())
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
	c.m.serving.leaves(askedID{by.id, by.inc, number}, leave)
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
		ETag: v.ETag, Version: v.Version, Tags: v.Tags,
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
