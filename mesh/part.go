package mesh

import (
	"errors"
	"fmt"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/cachemesh/cachemesh/internal/wire"
)

// part gathers results until they are sent as one message.
type part struct {
	m       *Mesh
	by      asker
	batch   uint64 // named in the first message
	results []wire.Result
	values  [][]byte
	size    int
	total   int // bytes of values in all its messages
	limit   int // of a message
	sent    bool
	ending  bool // nothing follows at once
	buf     []byte
}

var parts = sync.Pool{New: func() any { return new(part) }}

func newPart(m *Mesh, by asker, batch uint64) *part {
	p := parts.Get().(*part)
	*p = part{m: m, by: by, batch: batch, limit: m.answerLimit(), results: p.results, values: p.values, buf: p.buf}
	return p
}

// done sends what is left, and gives the memory back.
func (p *part) done() {
	p.ending = true
	p.send()
	p.m = nil
	parts.Put(p)
}

// add adds a result as it was when the questions were received: the asker takes all
// the time since then for time on the way, so that none of it is Spent.
func (p *part) add(res *wire.Result, value []byte) {
	res.Length = int64(len(value))
	size := res.Bytes() + len(value)
	if p.size > 0 && p.size+size > p.limit {
		p.send()
	}
	p.results = append(p.results, *res)
	if len(value) > 0 {
		p.values = append(p.values, value)
	}
	p.size += size
	p.total += len(value)
}

// answerLimit is how much goes into one part of an answer.
func (m *Mesh) answerLimit() int { return min(answerPart, m.maxMessage()) }

// send sends what has gathered. The first message goes out even when it is empty.
func (p *part) send() {
	if len(p.results) == 0 && p.sent {
		return
	}
	a := &wire.Answer{Inc: p.m.host.inc(), To: p.by.inc, Batch: p.batch, Results: p.results}
	if !p.ending && p.total < gatherMost {
		a.Flags = wire.AnswerMore
	}
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
		for i := range late {
			x := &late[i]
			x.result, x.value = l.m.inPieces(x.result, x.value, total, now)
			more := x.result.Bytes() + len(x.value)
			if x.inc != inc || n == wire.MaxQuestions || n > 0 && size+more > l.m.answerLimit() {
				break
			}
			a.Results = append(a.Results, x.result)
			if len(x.value) > 0 {
				values = append(values, x.value)
			}
			size += more
			total += len(x.value)
			n++
		}
		l.answerBuf = l.m.sendAnswer(l.answerBuf, l.id, a, values)
		late = late[n:]
	}
	return true
}
