package mesh

import (
	"bytes"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/cachemesh/cachemesh/internal/wire"
)

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
			l.accept(&m.answer, values, len(msg.Data))
		}
	}
}

// ended is a call off its link, with what ends it.
type ended struct {
	k      *call
	result *wire.Result
	data   []byte
	shared bool // as in reply
	trip   time.Duration
}

// accept ends the calls that an answer of so many bytes answers.
func (l *link) accept(a *wire.Answer, values []byte, size int) {
	now := l.m.clock.now()
	l.m.heard.Store(now)
	over := l.m.ended[:0]
	takeOvers, refused, answered := false, false, 0
	l.mu.Lock()
	l.refused = 0
	asked := l.patience.answered(a.Batch, now)
	if l.silent.Load() {
		l.silent.Store(false)
	}
	for i := range a.Results {
		res := &a.Results[i]
		value := values[:res.Length:res.Length]
		values = values[res.Length:]
		k := l.calls.get(res.Number)
		if k == nil {
			continue
		}
		if !k.asks(a.Inc) {
			if res.Status == wire.Stranger && !k.working && k.refused == 0 {
				k.refused, k.due, refused = now, now, true
			}
			continue
		}
		if res.Status == wire.Working {
			k.works(now, l.probe(now))
			k.waits(res.Flags&wire.FlagQueued != 0)
			continue
		}
		l.calls.remove(k.number)
		if k.batch == a.Batch {
			answered++
		}
		l.queue.remove(k)
		if res.Status == wire.Chunked && res.Transfer == 0 {
			l.askAgain(k, now)
			continue
		}
		e := ended{k: k, result: res, trip: max(0, time.Duration(now-k.sent)-fromMicros(res.Spent))}
		switch res.Status {
		case wire.Value:
			e.data, e.shared = value, len(value)*aliasShare < size
			if k.core != nil && int64(len(value)) > k.core.opts.MaxValueBytes {
				res.Status, e.data = wire.TooLarge, nil
				res.Error = tooLarge(int64(len(value)), k.key, k.core.opts.MaxValueBytes)
			}
		case wire.Chunked:
			k.held.Store(true)
		}
		takeOvers = takeOvers || k.kind == wire.AskTakeOver
		over = append(over, e)
	}
	l.more = a.Flags&wire.AnswerMore != 0
	if a.Batch != 0 {
		l.received(a, answered < asked || asked == 0, now)
	}
	next := l.queue.len() > 0 && !l.gathers(now)
	l.mu.Unlock()
	if takeOvers {
		l.endTogether(over, a.Inc, now)
	} else {
		l.end(over, a.Inc, now)
	}
	if next {
		l.nudge()
	}
	if refused {
		l.lookNow()
	}
	clear(over)
	l.m.ended = over[:0]
}

// askAgain puts a question that has been sent back into the queue, under its number. The lock is held.
func (l *link) askAgain(k *call, now int64) {
	k.sent, k.reads, k.working, k.again = 0, 0, false, false
	k.due = now + int64(repeatAfter)
	l.queue.push(k)
}

// received notes that the member has a batch. rest: it may not have answered all of its
// questions in the same message. The lock is held.
func (l *link) received(a *wire.Answer, rest bool, now int64) {
	if a.Batch == l.unacked {
		l.unacked = 0
	}
	if !rest {
		return
	}
	for k := range l.calls.each {
		if k.batch == a.Batch && !k.working && k.asks(a.Inc) {
			k.works(now, l.probe(now))
		}
	}
}

// end tells who waits for them how calls have ended, by an answer of incarnation inc that came at now. A call may serve
// another question as soon as it has been told.
func (l *link) end(over []ended, inc uint64, now int64) {
	for i := range over {
		e := &over[i]
		r := reply{status: e.result.Status, result: *e.result, data: e.data, shared: e.shared, from: l.id, trip: e.trip, at: now}
		switch {
		case r.status == wire.Chunked:
			l.pullPieces(e.k, r, inc)
		case e.k.fetch != nil:
			e.k.fetch.answered(&r)
		default:
			if r.shared {
				r.data, r.shared = bytes.Clone(r.data), false
			}
			e.k.end(r)
		}
	}
}

// endTogether is end where some are take-overs: what has to be loaded after this
// message is loaded together.
func (l *link) endTogether(over []ended, inc uint64, now int64) {
	var loads []*core
	for i := range over {
		if k := over[i].k; k.kind == wire.AskTakeOver {
			k.core.batch.hold()
			loads = append(loads, k.core)
		}
	}
	l.end(over, inc, now)
	for _, c := range loads {
		c.batch.release()
	}
}
