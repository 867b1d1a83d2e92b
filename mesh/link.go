package mesh

import (
	"maps"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

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
	// lossyFor is how long after a message was lost, as it seems, answers are expected to get lost too.
	lossyFor = 10 * time.Second
	// secondTry is how long after a "no responders" the question is sent once
	// more: a client that moves to another server is gone for some milliseconds.
	secondTry = 15 * time.Millisecond
	// ackPatience is how long the next batch waits for the last one to have
	// been received, and for the parts of its answer that have been announced.
	ackPatience = 20 * time.Millisecond
	// pingAfter is after how long without a sign that a batch has come the member is pinged:
	// where its process has died NATS says so to whoever sends next, but nothing to those
	// whose questions were on their way. It is no more than a busy machine takes, for a
	// ping costs little, and says nothing against a member that is there.
	pingAfter = 40 * time.Millisecond
	// briefPatience is how long who stands in for an owner waits for a sign of it, and
	// whoever is refused by another process of the ID asked.
	briefPatience = 50 * time.Millisecond
	// lastWords is how long the answers of a member that is gone may take: it sent
	// them before it said so, but on another subject.
	lastWords = 20 * time.Millisecond
	// callSlack is what a question may take beyond the load it asks for.
	callSlack = 5 * time.Second
)

const (
	batchQuestions = 1024      // most questions in a message
	batchWorth     = 24        // so many do not wait for the batch before them,
	batchShare     = 4         // nor does this part of those that are under way
	answerPart     = 33000     // of results and values in one part of an answer: about the 32 KiB that nats.go reads and writes at once
	gatherMost     = 256 << 10 // of values before the last part for which the next batch waits
	aliasShare     = 2         // a value that is a smaller share of its message is copied out
	inlineMost     = 256 << 10 // a larger value is pulled in pieces
)

// link carries the questions of this member to another, and the late answers to
// the other's. Questions to one member travel together: while a batch is on its
// way the next one gathers.
type link struct {
	m  *Mesh
	id string

	mu        sync.Mutex // guards all below
	queue     queue      // to be sent
	calls     asked      // those that have been sent
	answers   []lateAnswer
	pulls     []*pulling // values of which more pieces are to be asked for
	pieces    int        // pieces that are on their way
	batch     uint64     // numbers batches
	unacked   uint64     // the batch that has not been received yet, as far as is known
	more      bool       // another part has been announced by the latest answer since the last batch
	inBatch   int        // questions in the last batch
	sentAt    int64      // of it
	refused   int        // "no responders" in a row, to tries secondTry apart
	refusedAt int64      // when the latest of those came
	pinged    int64      // when the member was last to be pinged: once for what is on its way
	pings     bool       // that has yet to be sent
	lostAt    int64      // when a question was last repeated for want of any sign that it had come; 0: never
	// patience tells when the member is slow, and when it is silent.
	patience patience
	closed   bool

	// Readers pass by these without mu.

	seen   atomic.Pointer[seenIn] // what instance has last found
	silent atomic.Bool            // patience.silent
	down   atomic.Bool            // out of reach when last tried; see reachable

	wake   chan struct{} // one place: there is something to send
	attend chan struct{} // one place: there is something to look after before watch would
	looks  int64         // when watch looks next, guarded by mu

	sending   sync.Mutex // held while answers are taken and sent: Leave waits for that
	answerBuf []byte     // guarded by sending

	// asks is held by who sends questions, and guards what that uses again and again.
	asks   sync.Mutex
	asking wire.Ask
	taken  []*call // of the last batch
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
	if l := m.asked(id); l != nil {
		return l
	}
	m.linkMu.Lock()
	defer m.linkMu.Unlock()
	if l := m.asked(id); l != nil {
		return l
	}
	l := &link{m: m, id: id, wake: make(chan struct{}, 1), attend: make(chan struct{}, 1), closed: m.closed.Load()}
	links := maps.Clone(*m.links.Load())
	links[id] = l
	m.links.Store(&links)
	if !l.closed {
		go l.run()
	}
	return l
}

// asked gives the link to a member if there is one: where there is none, nothing
// was asked, and who answers is a stranger.
func (m *Mesh) asked(id string) *link { return (*m.links.Load())[id] }

func (m *Mesh) nudgeLinks() {
	for _, l := range *m.links.Load() {
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
	if _, due := l.enqueue(l.m.clock.now(), calls...); due {
		l.nudge()
	}
}

// askOne is ask for the question of a caller who knows what time it is, and will wait for
// its answer: if nothing else is under way the caller sends it.
func (l *link) askOne(now int64, k *call) {
	if alone, due := l.enqueue(now, k); due && (!alone || !l.sendHere(now)) {
		l.nudge()
	}
}

// enqueue puts questions into the queue. alone: nothing else has to be sent or was sent with
// others lately. due: the link's goroutine has to be woken up for them.
func (l *link) enqueue(now int64, calls ...*call) (alone, due bool) {
	inc, waited := l.instance()
	first := l.m.stats.questions.Add(uint64(len(calls))) - uint64(len(calls)) + 1
	l.mu.Lock()
	for i, k := range calls {
		k.number = first + uint64(i)
		if k.began = now; k.inc == 0 { // else it is for that instance alone
			k.inc, k.waited = inc, waited
		}
		k.due = now + int64(k.patience())
	}
	if l.closed {
		l.mu.Unlock()
		l.fail(calls)
		return false, false
	}
	for _, k := range calls {
		if !k.forgotten {
			l.queue.push(k)
		}
	}
	alone = l.queue.len() == 1 && l.unacked == 0 && l.inBatch <= 1
	due = l.due(now)
	l.mu.Unlock()
	return alone, due
}

// seenIn is the incarnation of a link's member in a view.
type seenIn struct {
	view *view
	inc  uint64
}

// instance is the incarnation of the member that is asked now, and whether invalidations
// here wait for it.
func (l *link) instance() (inc uint64, waited bool) {
	v := l.m.host.view.Load()
	if last := l.seen.Load(); last != nil && last.view == v {
		return last.inc, true
	}
	if inc, ok := v.incs[l.id]; ok {
		l.seen.Store(&seenIn{v, inc})
		return inc, true
	}
	return l.m.host.instance(l.id)
}

// forget ends a question that nobody waits for any more, and tells the member.
func (l *link) forget(k *call) {
	l.mu.Lock()
	k.held.Store(true)
	k.forgotten = true
	if k.number == 0 { // who has it asked has yet to come here
		l.mu.Unlock()
		return
	}
	sent := l.calls.remove(k.number)
	l.queue.remove(k)
	if p := k.pull; p != nil { // it has been answered, and more is on its way
		p.ended, k.pull = true, nil
	}
	if sent && !l.closed {
		now := l.m.clock.now()
		l.queue.push(&call{
			kind: wire.AskCancel, number: k.number, inc: k.inc, waited: k.waited,
			began: now, due: now + int64(repeatAfter),
		})
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

// run sends what gathers until the mesh ends, or the member is gone and nothing
// is under way.
func (l *link) run() {
	over := make(chan struct{})
	defer close(over)
	go l.watch(over)
	for {
		select {
		case <-l.m.done:
			return
		case <-l.wake:
		}
		for n, i := -1, 0; i < 6; i++ {
			l.mu.Lock()
			m, lone := l.queue.len(), l.inBatch <= 1
			l.mu.Unlock()
			if lone || m == n {
				break
			}
			n = m
			runtime.Gosched() // let who is about to ask this member get into the message
		}
		select {
		case <-l.wake: // of those who have got into it
		default:
		}
		for l.flushAnswers() || l.sendQuestions() {
		}
		l.ping()
		if l.retire() {
			return
		}
		l.lookAfter()
	}
}

// lookAfter has watch look in time at what is under way: mostly it will anyhow.
func (l *link) lookAfter() {
	l.mu.Lock()
	by := l.m.clock.now() + int64(pingAfter)
	if l.queue.len() > 0 {
		by += int64(ackPatience - pingAfter)
	}
	late := l.queue.len()+l.calls.len() > 0 && l.looks > by
	l.mu.Unlock()
	if late {
		l.lookNow()
	}
}

func (l *link) lookNow() {
	select {
	case l.attend <- struct{}{}:
	default:
	}
}

// watch looks after what is not answered. It is not for run to do: a connection to
// a black hole holds up who sends for seconds, and who waits must not wait for that.
func (l *link) watch(over <-chan struct{}) {
	timer := time.NewTimer(leastPatience)
	defer timer.Stop()
	due := l.m.clock.now() + int64(leastPatience)
	for {
		select {
		case <-over:
			return
		case <-l.m.done:
			return
		case <-l.attend:
		case <-timer.C:
			l.nudge()
		}
		now := l.m.clock.now()
		l.mu.Lock()
		l.patience.held(time.Duration(now-due), now)
		l.mu.Unlock()
		next := l.hedge() // first: what is repeated goes into another message, which is not late
		again, idle := l.review()
		next = min(next, again)
		if _, counted := l.m.host.view.Load().Member(l.id); idle && !counted {
			l.nudge() // the last call has ended since run looked: it may retire
		}
		due = l.m.clock.now() + int64(next)
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
	if l.queue.len()+l.calls.len()+len(l.answers) > 0 {
		return false
	}
	l.closed = true // whoever still holds it is told "cannot be reached", and asks elsewhere
	links := maps.Clone(*l.m.links.Load())
	delete(links, l.id)
	l.m.links.Store(&links)
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
	for k := range l.queue.each {
		if !k.again {
			ended = append(ended, k)
		}
	}
	for k := range l.calls.each {
		ended = append(ended, k)
	}
	l.unacked, l.more = 0, false
	l.patience.forget()
	l.queue.clear()
	l.calls.clear()
	return ended
}

func (l *link) fail(ended []*call) {
	for _, k := range ended {
		k.end(reply{from: l.id})
	}
}
