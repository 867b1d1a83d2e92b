package mesh

import (
	"errors"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/cachemesh/cachemesh/internal/roster"
	"github.com/cachemesh/cachemesh/internal/wire"
)

// aliveWithin is how long ago the connection has brought something at most for a caller to
// send a question itself. A handing over to the link's goroutine wakes up another thread, and
// makes the get of a lone caller up to an eighth longer. But who sends over a connection that is
// stuck waits for it, past any deadline: that would take a connection that has got stuck
// just now, and has been filled since by something else.
const aliveWithin = int64(10 * time.Millisecond)

// sendHere has a caller send what is in the queue, and reports whether it did.
func (l *link) sendHere(now int64) bool {
	if now-l.m.heard.Load() > aliveWithin || !l.asks.TryLock() {
		return false
	}
	sent := l.flushQuestions()
	l.asks.Unlock()
	if sent {
		l.lookAfter()
	}
	return sent
}

// sendQuestions is flushQuestions for the link's goroutine.
func (l *link) sendQuestions() bool {
	l.asks.Lock()
	defer l.asks.Unlock()
	return l.flushQuestions()
}

// flushQuestions sends the next batch if it may go, and reports whether it did. asks is held.
func (l *link) flushQuestions() bool {
	now := l.m.clock.now()
	limit := l.m.maxMessage()
	l.mu.Lock()
	if l.queue.len() == 0 || l.gathers(now) || !l.m.connected() {
		l.mu.Unlock()
		return false
	}
	taken, size := l.takeBatch(limit / 2) // the other half is for what they carry
	l.batch++
	ask := &l.asking
	*ask = wire.Ask{To: taken[0].inc, Batch: l.batch, Questions: ask.Questions[:0], Caches: ask.Caches[:0]}
	l.inBatch = 0
	for _, k := range taken {
		l.add(ask, k)
		if k.kind == wire.AskCancel {
			continue
		}
		l.inBatch++
		if k.sent == 0 {
			k.sent = now
		}
		k.batch, k.again = l.batch, false
		k.taken, k.working = k.taken || k.working, false
		k.due = now + int64(k.patience())
		l.calls.put(k)
	}
	l.unacked, l.more, l.sentAt = l.batch, false, now
	l.patience.sent(l.batch, l.inBatch, now)
	l.mu.Unlock() // from here on calls of taken may end, and serve others: ask alone is looked at

	l.m.host.mu.Lock()
	ask.Inc = l.m.host.roster.Self().Inc
	if to := (roster.Instance{ID: l.id, Inc: ask.To}); !l.m.host.roster.AllShown(to) {
		ask.Bases, ask.Records = wireCarry(l.m.host.roster.CarryTo(to, targetsOf(ask), limit-size))
	}
	l.m.host.mu.Unlock()
	data, err := wire.Append(l.buf[:0], ask)
	l.buf = data
	if err != nil {
		l.m.log.Error("cachemesh: cannot encode questions", "error", err)
		l.giveUp(ask)
		return true
	}
	l.m.stats.batches.Add(1)
	err = l.m.nc.PublishRequest(l.m.subj.Ask(l.id), l.m.subj.ReplyFrom(l.id), data)
	if errors.Is(err, nats.ErrMaxPayload) { // a key too long for this NATS: it would never be sent
		l.giveUp(ask)
	}
	return true // what else is not sent is sent again
}

// takeBatch takes the questions of the next message off the queue: as many as fit, to one
// incarnation. It gives the most bytes that they take. The lock is held.
func (l *link) takeBatch(limit int) (taken []*call, size int) {
	n := 0
	var last *call
	taken = l.queue.take(l.taken[:0], func(k *call) bool {
		more := k.size()
		if k.core != nil && (last == nil || k.core != last.core) {
			more += len(k.core.name) + wire.NameBytes
		}
		if n == batchQuestions || last != nil && (k.inc != last.inc || size+more > limit) {
			return false
		}
		n, last, size = n+1, k, size+more
		return true
	})
	l.taken = taken
	return taken, size
}

// gathers reports whether the next batch waits for more questions: the member has yet to
// receive the last one, or another part of its answers is about to bring askers of further
// questions. It waits no longer than for so many that they are worth a message of their own:
// while the one process wakes up for the last batch, the other works on the next. The lock
// is held.
func (l *link) gathers(now int64) bool {
	if l.unacked == 0 && !l.more || now-l.sentAt >= int64(ackPatience) {
		return false
	}
	return l.queue.len() < max(batchWorth, l.calls.len()/batchShare)
}

// due reports whether the link's goroutine has to be woken up for questions that have come into
// the queue. It need not be where they gather: the answer does so, or who asks as the last of
// those that are worth a message, or watch, if it looks soon. The lock is held.
func (l *link) due(now int64) bool { return !l.gathers(now) || l.looks > now+int64(ackPatience) }

// giveUp ends the calls whose message cannot be sent, but for those that have ended since.
func (l *link) giveUp(ask *wire.Ask) {
	var ended []*call
	l.mu.Lock()
	for i := range ask.Questions {
		q := &ask.Questions[i]
		if k := l.calls.get(q.Number); k != nil && q.Kind != wire.AskCancel {
			l.calls.remove(k.number)
			l.queue.remove(k)
			ended = append(ended, k)
		}
	}
	l.unacked = 0
	l.patience.forget()
	l.mu.Unlock()
	l.fail(ended)
}

// targetsOf is what questions are about.
func targetsOf(ask *wire.Ask) []roster.Target {
	targets := make([]roster.Target, 0, len(ask.Questions))
	for i := range ask.Questions {
		if q := &ask.Questions[i]; len(q.Key) > 0 {
			targets = append(targets, roster.Target{Cache: ask.Caches[q.Cache], Kind: roster.ByKey, Key: stringOf(q.Key)})
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
