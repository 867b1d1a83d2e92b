package mesh

import (
	"context"
	"sync"
	"time"

	"github.com/cachemesh/cachemesh/internal/wire"
)

// A value larger than a message is announced by its owner, and pulled by its reader
// in pieces, a few at a time: core NATS has no flow control, so the one who
// has to hold the pieces sets the pace.

const (
	// piecesInFlight is how many pieces are asked for ahead.
	piecesInFlight = 4
	// transferLife is how long an announced value waits for the next question.
	transferLife = 30 * time.Second
	// mostTransfers bounds what is held for members that never come back.
	mostTransfers = 4096
)

// inlineLimit is the largest value that travels in an answer, and the size of a piece.
func (m *Mesh) inlineLimit() int { return min(m.maxMessage()/2, inlineMost) }

// transfers are the large values that others are pulling.
type transfers struct {
	mu   sync.Mutex // guards both
	next uint64
	held map[uint64]*transfer
}

type transfer struct {
	data  []byte
	until int64
}

func (t *transfers) init() { t.held = map[uint64]*transfer{} }

// open announces data and gives the number that pieces of it are asked by.
func (t *transfers) open(data []byte, now int64) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	for n, x := range t.held {
		if x.until <= now || len(t.held) >= mostTransfers {
			delete(t.held, n)
		}
	}
	t.next++
	t.held[t.next] = &transfer{data, now + int64(transferLife)}
	return t.next
}

// piece answers a question for a piece.
func (t *transfers) piece(q *wire.Question, now int64) (wire.Result, []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	x := t.held[q.Transfer]
	if x == nil || q.Offset+q.Length > int64(len(x.data)) {
		return wire.Result{Status: wire.Stranger}, nil
	}
	x.until = now + int64(transferLife)
	end := q.Offset + q.Length
	return wire.Result{Status: wire.Value}, x.data[q.Offset:end:end]
}

func (t *transfers) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.held)
}

// pulling is a large value on its way here.
type pulling struct {
	l    *link
	k    *call // the question that it answers
	r    reply
	data []byte

	mu    sync.Mutex // guards below
	next  int64      // offset of the next piece to ask for
	under int        // pieces asked for
	ended bool
}

// pullPieces gets the value that r announces, then ends k with it.
func (l *link) pullPieces(k *call, r reply) {
	size := r.result.Size
	if most := k.core.opts.MaxValueBytes; size > most {
		r.status, r.result.Error, r.data = wire.TooLarge, tooLarge(size, k.key, most), nil
		k.end(r)
		return
	}
	r.status = wire.Value
	p := &pulling{l: l, k: k, r: r, data: make([]byte, size)}
	for range piecesInFlight {
		p.more()
	}
}

// more asks for the next piece, if there is one.
func (p *pulling) more() {
	p.mu.Lock()
	offset := p.next
	length := min(int64(p.l.m.inlineLimit()), int64(len(p.data))-offset)
	if p.ended || length <= 0 {
		p.mu.Unlock()
		return
	}
	p.next += length
	p.under++
	p.mu.Unlock()
	p.l.ask(&call{
		kind: wire.AskChunk, transfer: p.r.result.Transfer, offset: offset, length: length,
		done: func(r reply) { p.got(offset, length, r) },
	})
}

func (p *pulling) got(offset, length int64, r reply) {
	whole := r.status == wire.Value && int64(len(r.data)) == length
	if whole {
		copy(p.data[offset:], r.data)
	}
	p.mu.Lock()
	p.under--
	first := !p.ended
	p.ended = p.ended || !whole
	last := !p.ended && p.under == 0 && p.next == int64(len(p.data))
	p.mu.Unlock()
	switch {
	case !whole && first:
		p.k.end(reply{from: p.l.id}) // the next in rank may do better
	case last:
		p.r.data = p.data
		p.r.trip += time.Duration(p.l.m.clock.now() - p.k.sent - int64(p.r.trip)) // all the time since the question
		p.k.end(p.r)
	case whole:
		p.more()
	}
}

// offerTo tells heir to pull key from here, and calls done when it has, or when it
// cannot be reached.
func (c *core) offerTo(heir, key string, done func()) {
	c.m.link(heir).ask(&call{core: c, key: key, kind: wire.AskPull, done: func(reply) { done() }})
}

// settle has the owner pull what was Set here, and waits for it as long as ctx allows,
// for a second at most: keeping a value is best effort.
func (c *core) settle(ctx context.Context, key string, v *storeValue) {
	const patience = time.Second
	owner := c.m.host.current(c.m.clock.now()).share(c.name).owners.Owner(key)
	if owner == "" || owner == c.m.cfg.ID {
		c.offers.done(key, v)
		return
	}
	pulled := make(chan struct{})
	c.offerTo(owner, key, func() {
		c.offers.done(key, v)
		close(pulled)
	})
	bound := time.NewTimer(patience)
	defer bound.Stop()
	select {
	case <-pulled:
	case <-bound.C:
	case <-ctx.Done():
	case <-c.m.done:
	}
}
