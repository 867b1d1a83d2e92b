package mesh

import (
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/cachemesh/cachemesh/internal/roster"
	"github.com/cachemesh/cachemesh/internal/wire"
)

// Times of a link.
const (
	// repeatAfter is when an unanswered question is sent again, under its
	// number.
	repeatAfter = 250 * time.Millisecond
	// probeAfter is when a question that the member is at work on is sent
	// again, in case the answer was lost.
	probeAfter = time.Second
	// secondTry is how long after a "no responders" the question is sent once
	// more: a client that moves to another server is gone for some milliseconds.
	secondTry = 15 * time.Millisecond
	// ackPatience is how long the next batch waits for the last one to have
	// been received.
	ackPatience = 20 * time.Millisecond
	// lastWords is how long the answers of a member that is gone may take: it sent
	// them before it said so, but on another subject.
	lastWords = 20 * time.Millisecond
	// callSlack is what a question may take beyond the load it asks for.
	callSlack = 5 * time.Second
)

const (
	batchQuestions = 1024      // most questions in a message
	answerPart     = 60 << 10  // of values in one part of an answer, about
	aliasShare     = 2         // a value that is a smaller share of its message is copied out
	inlineMost     = 256 << 10 // a larger value is pulled in pieces
)

// link carries the questions of this member to another, and the late answers to
// the other's. Questions to one member travel together: while a batch is on its
// way the next one gathers.
type link struct {
	m  *Mesh
	id string

	mu      sync.Mutex // guards all below
	queue   []*call    // to be sent
	calls   map[uint64]*call
	answers []lateAnswer
	pulls   []*pulling // values of which more pieces are to be asked for
	pieces  int        // pieces that are on their way
	batch   uint64     // numbers batches
	unacked uint64     // the batch that has not been received yet, as far as is known
	sentAt  int64      // of it
	refused int        // "no responders" in a row
	down    bool       // out of reach when last tried; see reachable
	closed  bool

	wake chan struct{} // one place: there is something to do

	sending   sync.Mutex // held while answers are taken and sent: Leave waits for that
	answerBuf []byte     // guarded by sending

	// What the link's goroutine alone uses, again and again.
	asking wire.Ask
	buf    []byte
}

// lateAnswer is the result of a question whose answer took a while.
type lateAnswer struct {
	inc    uint64 // of the asker
	result wire.Result
	value  []byte
}

// link gives the link to a member, and makes it if need be.
func (m *Mesh) link(id string) *link {
	m.linkMu.RLock()
	l := m.links[id]
	m.linkMu.RUnlock()
	if l != nil {
		return l
	}
	m.linkMu.Lock()
	defer m.linkMu.Unlock()
	if l = m.links[id]; l != nil {
		return l
	}
	l = &link{m: m, id: id, calls: map[uint64]*call{}, wake: make(chan struct{}, 1), closed: m.closed.Load()}
	m.links[id] = l
	if !l.closed {
		go l.run()
	}
	return l
}

// asked gives the link to a member if there is one: where there is none, nothing
// was asked, and who answers is a stranger.
func (m *Mesh) asked(id string) *link {
	m.linkMu.RLock()
	defer m.linkMu.RUnlock()
	return m.links[id]
}

func (m *Mesh) nudgeLinks() {
	m.linkMu.RLock()
	defer m.linkMu.RUnlock()
	for _, l := range m.links {
		l.nudge()
	}
}

func (l *link) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// ask sends questions, in one message if they fit. Each one's done is called with
// its answer, or with status 0 when the member cannot be reached.
func (l *link) ask(calls ...*call) {
	now := l.m.clock.now()
	inc, waited := l.m.host.instance(l.id)
	first := l.m.stats.questions.Add(uint64(len(calls))) - uint64(len(calls)) + 1
	for i, k := range calls {
		k.number = first + uint64(i)
		k.began, k.inc, k.waited = now, inc, waited
	}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		l.fail(calls)
		return
	}
	l.queue = append(l.queue, calls...)
	l.mu.Unlock()
	l.nudge()
}

// forget ends a question that nobody waits for any more, and tells the member.
func (l *link) forget(k *call) {
	l.mu.Lock()
	_, sent := l.calls[k.number]
	delete(l.calls, k.number)
	for i, q := range l.queue {
		if q == k {
			l.queue = append(l.queue[:i], l.queue[i+1:]...)
			break
		}
	}
	if sent && !l.closed {
		l.queue = append(l.queue, &call{kind: wire.AskCancel, number: k.number, inc: k.inc})
	}
	l.mu.Unlock()
	l.nudge()
}

// reply sends a late answer.
func (l *link) reply(a lateAnswer) {
	l.mu.Lock()
	if !l.closed {
		l.answers = append(l.answers, a)
	}
	l.mu.Unlock()
	l.nudge()
}

// run sends what gathers, and looks after what is not answered, until the mesh
// ends or the member is gone and nothing is under way.
func (l *link) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-l.m.done:
			return
		case <-l.wake:
		case <-timer.C:
		}
		runtime.Gosched() // let who is about to ask this member get into the message
		for l.flushAnswers() || l.flushQuestions() {
		}
		next, idle := l.review()
		if idle && l.retire() {
			return
		}
		timer.Reset(next)
	}
}

// retire removes a link that has nothing to do with a member that is gone.
func (l *link) retire() bool {
	if _, ok := l.m.host.view.Load().Member(l.id); ok {
		return false
	}
	l.m.linkMu.Lock()
	defer l.m.linkMu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue)+len(l.calls)+len(l.answers) > 0 {
		return false
	}
	l.closed = true // whoever still holds it is told "cannot be reached", and asks elsewhere
	delete(l.m.links, l.id)
	return true
}

// close ends the link: who waits is told that the member cannot be reached.
func (l *link) close() {
	l.mu.Lock()
	l.closed = true
	ended := l.takeAll()
	l.mu.Unlock()
	l.fail(ended)
}

// takeAll takes every call off the link. The lock is held.
func (l *link) takeAll() []*call {
	var ended []*call
	for _, k := range l.queue {
		if !k.again {
			ended = append(ended, k)
		}
	}
	for _, k := range l.calls {
		ended = append(ended, k)
	}
	l.queue, l.unacked = nil, 0
	clear(l.calls)
	return ended
}

func (l *link) fail(ended []*call) {
	for _, k := range ended {
		k.end(reply{from: l.id})
	}
}

// flushQuestions sends the next batch if it may go, and reports whether it did.
func (l *link) flushQuestions() bool {
	now := l.m.clock.now()
	l.mu.Lock()
	if len(l.queue) == 0 || l.unacked != 0 && now-l.sentAt < int64(ackPatience) || !l.m.nc.IsConnected() {
		l.mu.Unlock()
		return false
	}
	limit := l.m.maxMessage()
	size, n := 0, 0
	for n < len(l.queue) && n < batchQuestions {
		size += len(l.queue[n].key) + 64
		if n > 0 && size > limit || l.queue[n].inc != l.queue[0].inc {
			break
		}
		n++
	}
	taken := l.queue[:n:n]
	l.queue = l.queue[n:]
	if len(l.queue) == 0 {
		l.queue = nil
	}
	l.batch++
	ask := &l.asking
	*ask = wire.Ask{To: taken[0].inc, Batch: l.batch, Questions: ask.Questions[:0], Caches: ask.Caches[:0]}
	for _, k := range taken {
		l.add(ask, k)
		if k.kind == wire.AskCancel {
			continue
		}
		if k.sent == 0 {
			k.sent = now
		}
		k.batch, k.again = l.batch, false
		k.due = now + int64(repeatAfter)
		l.calls[k.number] = k
	}
	l.unacked, l.sentAt = l.batch, now
	l.mu.Unlock()

	l.m.host.mu.Lock()
	ask.Inc = l.m.host.roster.Self().Inc
	if !l.m.host.roster.AllShown(l.id) {
		ask.Bases, ask.Records = wireCarry(l.m.host.roster.CarryTo(l.id, targetsOf(taken)))
	}
	l.m.host.mu.Unlock()
	data, err := wire.Append(l.buf[:0], ask)
	l.buf = data
	if err != nil {
		l.m.log.Error("cachemesh: cannot encode questions", "error", err)
		l.mu.Lock()
		for _, k := range taken {
			delete(l.calls, k.number)
		}
		l.unacked = 0
		l.mu.Unlock()
		l.fail(taken)
		return true
	}
	l.m.stats.batches.Add(1)
	_ = l.m.nc.PublishRequest(l.m.subj.Ask(l.id), l.m.subj.ReplyFrom(l.id), data) // what is not sent is sent again
	return true
}

// targetsOf is what calls are about.
func targetsOf(calls []*call) []roster.Target {
	targets := make([]roster.Target, 0, len(calls))
	for _, k := range calls {
		if k.core != nil {
			targets = append(targets, roster.Target{Cache: k.core.name, Kind: roster.ByKey, Key: k.key})
		}
	}
	return targets
}

// add puts a call into a message.
func (l *link) add(ask *wire.Ask, k *call) {
	q := wire.Question{
		Number: k.number, Kind: k.kind, Key: bytesOf(k.key), RuledOut: k.ruledOut, Flags: k.flags,
		MaxAge: micros(k.maxAge), Reads: k.reads, Trace: k.trace, Transfer: k.transfer, Offset: k.offset, Length: k.length,
	}
	if k.core != nil {
		at := -1
		for i, name := range ask.Caches {
			if name == k.core.name {
				at = i
				break
			}
		}
		if at < 0 {
			at = len(ask.Caches)
			ask.Caches = append(ask.Caches, k.core.name)
		}
		q.Cache = at
	}
	ask.Questions = append(ask.Questions, q)
}

// review looks at what is due: it repeats questions, or gives a member up. It
// says when to look again, and whether there is nothing under way.
func (l *link) review() (next time.Duration, idle bool) {
	now := l.m.clock.now()
	l.mu.Lock()
	if len(l.queue)+len(l.calls)+len(l.answers) == 0 {
		l.mu.Unlock()
		return time.Hour, true
	}
	soonest := now + int64(repeatAfter)
	if len(l.queue) > 0 && l.m.nc.IsConnected() {
		soonest = now + int64(ackPatience)
	}
	var due []*call
	for _, k := range l.calls {
		if k.due <= now {
			due = append(due, k)
		} else {
			soonest = min(soonest, k.due)
		}
	}
	// What is queued while nothing can be sent must end as well.
	for _, k := range l.queue {
		if k.due <= now && !k.again {
			due = append(due, k)
		}
	}
	l.mu.Unlock()
	if len(due) > 0 {
		soonest = min(soonest, l.judge(due, now))
	}
	return time.Duration(max(soonest-now, int64(time.Millisecond))), false
}

// judge repeats the questions that are due, or gives them up. It says when the
// first of them is due again.
func (l *link) judge(due []*call, now int64) (soonest int64) {
	l.m.host.mu.Lock()
	inst, waits := l.m.host.roster.Known(l.id)
	suspect := l.m.host.roster.Suspects(now, l.id)
	l.m.host.mu.Unlock()
	var ended []*call
	again := false
	soonest = now + int64(repeatAfter)
	l.mu.Lock()
	for _, k := range due {
		limit := callSlack
		if k.core != nil {
			limit += k.core.opts.LoadTimeout
		}
		age := now - k.began
		parted := k.inc != 0 && inst.Inc != k.inc || !waits && k.waited
		if parted && !k.parted {
			k.parted, k.due = true, now+int64(lastWords)
			soonest = k.due
			continue
		}
		gone := parted || !waits && age > int64(l.m.cfg.Lease) ||
			suspect && age >= int64(repeatAfter) ||
			age > int64(limit)
		_, sent := l.calls[k.number]
		switch {
		case !sent && !slices.Contains(l.queue, k): // answered or forgotten meanwhile
		case gone:
			delete(l.calls, k.number)
			l.queue = remove(l.queue, k)
			l.down = l.down || suspect
			ended = append(ended, k)
		case sent && !k.again: // its answer may still come while it waits for its message
			l.queue = append(l.queue, k)
			k.again, again = true, true
			k.due = now + int64(repeatAfter)
		default:
			k.due = now + int64(repeatAfter)
		}
	}
	l.mu.Unlock()
	l.fail(ended)
	if again {
		l.nudge()
	}
	return soonest
}

func remove(queue []*call, k *call) []*call {
	for i, q := range queue {
		if q == k {
			return append(queue[:i:i], queue[i+1:]...)
		}
	}
	return queue
}

// reachable reports whether it is worth asking: a member that could not be
// reached is left alone until it has been heard again.
func (l *link) reachable() bool {
	l.mu.Lock()
	down := l.down
	l.mu.Unlock()
	if !down {
		return true
	}
	l.m.host.mu.Lock()
	suspect := l.m.host.roster.Suspects(l.m.clock.now(), l.id)
	l.m.host.mu.Unlock()
	if suspect {
		return false
	}
	l.mu.Lock()
	l.down = false
	l.mu.Unlock()
	return true
}

// noResponders is told by NATS that nobody listens there.
func (l *link) noResponders() {
	now := l.m.clock.now()
	l.mu.Lock()
	l.refused++
	l.unacked = 0
	if l.refused == 1 {
		for _, k := range l.calls {
			k.due = now + int64(secondTry)
		}
		l.mu.Unlock()
		l.nudge()
		return
	}
	l.down = true
	ended := l.takeAll()
	l.mu.Unlock()
	l.m.host.mu.Lock()
	l.m.host.roster.Suspect(now, l.id)
	l.m.host.mu.Unlock()
	l.fail(ended)
}

// onAnswer takes a part of the answers to a batch of ours.
func (m *Mesh) onAnswer(msg *nats.Msg) {
	sender, ok := wire.Sender(msg.Subject)
	if !ok {
		return
	}
	if len(msg.Data) == 0 && msg.Header.Get("Status") == "503" {
		if l := m.asked(sender); l != nil {
			l.noResponders()
		}
		return
	}
	values, err := wire.DecodeAnswerInto(&m.answer, msg.Data)
	if err != nil {
		m.dropped.note(m, msg.Subject, err)
		return
	}
	if m.answer.To == m.host.inc() {
		if l := m.asked(sender); l != nil {
			l.accept(&m.answer, values)
		}
	}
}

// accept ends the calls that an answer answers.
func (l *link) accept(a *wire.Answer, values []byte) {
	now := l.m.clock.now()
	ended := l.m.ended[:0]
	total := len(values)
	l.mu.Lock()
	l.refused = 0
	for i := range a.Results {
		res := &a.Results[i]
		value := values[:res.Length:res.Length]
		values = values[res.Length:]
		k := l.calls[res.Number]
		if k == nil || k.inc != 0 && k.inc != a.Inc {
			continue
		}
		if res.Status == wire.Working {
			k.working, k.due = true, now+int64(probeAfter)
			k.waits(res.Flags&wire.FlagQueued != 0)
			continue
		}
		delete(l.calls, res.Number)
		if k.again {
			l.queue = remove(l.queue, k)
		}
		r := &k.reply
		r.status, r.result, r.from = res.Status, *res, l.id
		r.trip = max(0, time.Duration(now-k.sent)-fromMicros(res.Spent))
		if res.Status == wire.Value || res.Status == wire.Chunked {
			if len(value)*aliasShare < total {
				value = append([]byte(nil), value...)
			}
			r.data = value
			if k.core != nil && int64(len(value)) > k.core.opts.MaxValueBytes {
				r.status, r.data = wire.TooLarge, nil
				r.result.Error = tooLarge(int64(len(value)), k.key, k.core.opts.MaxValueBytes)
			}
		}
		ended = append(ended, k)
	}
	if a.Batch != 0 {
		if a.Batch == l.unacked {
			l.unacked = 0
		}
		for _, k := range l.calls {
			if k.batch == a.Batch && !k.working {
				k.working = true
				k.due = now + int64(probeAfter)
			}
		}
	}
	more := len(l.queue) > 0
	l.mu.Unlock()
	if more {
		l.nudge()
	}
	for _, k := range ended {
		switch {
		case k.reply.status == wire.Chunked:
			l.pullPieces(k, k.reply)
		case k.fetch != nil:
			k.fetch.answered(&k.reply)
		default:
			k.end(k.reply)
		}
	}
	clear(ended)
	l.m.ended = ended[:0]
}
