package mesh

import (
	"sync"
	"time"

	"github.com/cachemesh/cachemesh/internal/wire"
)

// Times of a backlog.
const (
	// lull is after how long without questions the next may be old: this process was
	// stopped, or what lies between was cut. It is less than any link's patience.
	lull = 100 * time.Millisecond
	// lullBound is how long a load is held back after one at most, whatever comes
	// meanwhile: where a way takes long, questions that are repeated make lulls without end.
	lullBound = 250 * time.Millisecond
)

// backlog sees to it that questions which come late start no load that nobody waits
// for any more. Whoever gives up says so, after its question and on the same subject.
// So after a lull the member sends itself a message there: once that has come, all
// has been read that had gathered before, and what is still asked may be loaded.
//
// It also keeps in order what comes while the member is asleep (rule R11).
type backlog struct {
	m     *Mesh
	heard int64 // when the latest questions came; the subscription to them alone uses it

	mu     sync.Mutex // guards all below
	lulls  uint64     // so far
	marked uint64     // of them, for which the message to itself has been sent
	passed uint64     // for which it has come
	held   []heldLoad // to be begun then, the oldest first
	timed  bool       // overdue will be called

	batches  []batchOf // that came while the member was asleep
	draining bool
}

// heldLoad is a load that is held back.
type heldLoad struct {
	begin func()
	since int64
}

// batchOf is a batch of questions, or where ask is nil the message to itself.
type batchOf struct {
	by   asker
	ask  *wire.Ask
	lull uint64
}

// came notes that questions have come.
func (b *backlog) came(now int64) {
	quiet := now - b.heard
	b.heard = now
	if quiet < int64(lull) {
		return
	}
	b.mu.Lock()
	b.lulls++
	mark := len(b.held) > 0 // what is held back waits for the end of this lull, too
	n := b.mark(mark)
	b.mu.Unlock()
	b.send(n)
}

// hold reports whether a load must wait: then begin is called when it need not any longer.
func (b *backlog) hold(begin func()) bool {
	if b.m.nc.Opts.NoEcho { // it would not hear itself
		return false
	}
	b.mu.Lock()
	if b.passed == b.lulls {
		b.mu.Unlock()
		return false
	}
	b.held = append(b.held, heldLoad{begin, b.m.clock.now()})
	if !b.timed {
		b.timed = true
		time.AfterFunc(lullBound, b.overdue)
	}
	n := b.mark(true)
	b.mu.Unlock()
	b.send(n)
	return true
}

// overdue begins what has been held back for as long as may be.
func (b *backlog) overdue() {
	b.mu.Lock()
	now, n := b.m.clock.now(), 0
	for n < len(b.held) && now-b.held[n].since >= int64(lullBound) {
		n++
	}
	over := b.held[:n:n]
	b.held = b.held[n:]
	if b.timed = len(b.held) > 0; b.timed {
		time.AfterFunc(time.Duration(b.held[0].since+int64(lullBound)-now), b.overdue)
	}
	b.mu.Unlock()
	b.begin(over)
}

// mark is the number of the message that is to be sent now; 0: none. mu is held.
func (b *backlog) mark(wanted bool) uint64 {
	if !wanted || b.marked == b.lulls {
		return 0
	}
	b.marked = b.lulls
	return b.marked
}

// send sends the message to itself, a batch without questions. If it is lost, the
// wait ends all the same.
func (b *backlog) send(n uint64) {
	if n == 0 {
		return
	}
	time.AfterFunc(lullBound, func() { b.pass(n) })
	inc := b.m.host.inc()
	data, err := wire.Append(nil, &wire.Ask{Inc: inc, To: inc, Batch: n})
	if err != nil {
		b.m.log.Error("cachemesh: cannot encode a message to itself", "error", err)
		return
	}
	if err := b.m.nc.Publish(b.m.subj.Ask(b.m.cfg.ID), data); err != nil && !b.m.closed.Load() {
		b.m.log.Debug("cachemesh: not sent", "to", b.m.cfg.ID, "error", err)
	}
}

// pass begins what has been held back for the lull of that number, the latest.
func (b *backlog) pass(n uint64) {
	b.mu.Lock()
	if n != b.lulls || n == b.passed {
		b.mu.Unlock()
		return
	}
	b.passed = n
	held := b.held
	b.held = nil
	b.mu.Unlock()
	b.begin(held)
}

// begin begins what has been held back: together, so that it is loaded together.
func (b *backlog) begin(held []heldLoad) {
	if len(held) == 0 {
		return
	}
	for _, c := range *b.m.caches.Load() {
		c.batch.hold()
		defer c.batch.release()
	}
	for _, h := range held {
		h.begin()
	}
}

// keep takes what is to be looked at later: the member is asleep, or not done yet with
// what came while it was.
func (b *backlog) keep(x batchOf, asleep bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !asleep && !b.draining {
		return false
	}
	if x.ask != nil { // its memory is the backlog's from here on
		ask := *x.ask
		*x.ask = wire.Ask{}
		x.ask = &ask
	}
	b.batches = append(b.batches, x)
	if !b.draining {
		b.draining = true
		go b.drain()
	}
	return true
}

// drain looks at what was kept, in order, after the round that follows a stop.
func (b *backlog) drain() {
	if over := b.m.host.wake(); over != nil {
		bound := time.NewTimer(b.m.cfg.Lease + b.m.cfg.Heartbeat)
		defer bound.Stop()
		select {
		case <-over:
		case <-bound.C:
		case <-b.m.done:
			return
		}
	}
	for {
		b.mu.Lock()
		if len(b.batches) == 0 || b.m.closed.Load() {
			b.draining, b.batches = false, nil
			b.mu.Unlock()
			return
		}
		x := b.batches[0]
		b.batches = b.batches[1:]
		b.mu.Unlock()
		b.look(x)
	}
}

// look serves a batch, or passes what it was the message for.
func (b *backlog) look(x batchOf) {
	if x.ask == nil {
		b.pass(x.lull)
		return
	}
	b.m.serve(x.by, x.ask)
}
