package mesh

import (
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
	for _, k := range ended { // what has to be loaded after this message is loaded together
		if k.kind == wire.AskTakeOver {
			k.core.batch.hold()
		}
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
	for _, k := range ended {
		if k.kind == wire.AskTakeOver {
			k.core.batch.release()
		}
	}
	clear(ended)
	l.m.ended = ended[:0]
}
