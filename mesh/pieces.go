package mesh

import (
	"context"
	"time"

	"github.com/cachemesh/cachemesh/internal/wire"
)

// A value that is too large to travel in an answer is announced by its owner, and pulled by its
// reader in pieces, a few at a time: core NATS has no flow control, so the one who
// has to hold the pieces sets the pace.

const (
	// piecesInFlight is how many pieces are asked for ahead.
	piecesInFlight = 4
)

// inlineLimit is the largest value that travels in an answer, and the size of a piece.
func (m *Mesh) inlineLimit() int { return min(m.maxMessage()/2, inlineMost) }

// answerBurst is about how many bytes of values one member sends to another
// unasked for, on top of what a message takes.
const answerBurst = 4 << 20

// mayBurst reports whether a value may be sent where sent bytes have gone the same way unasked
// for already: NATS cuts off a client that cannot take what it is sent.
func mayBurst(res *wire.Result, value []byte, sent int) bool {
	const small = 4 << 10
	return res.Status != wire.Value || len(value) < small || sent+len(value) <= answerBurst
}

// askAgain is the answer in the place of a value that memory holds and that may not be
// sent now: the same question is to come again, in a later message.
func askAgain(value []byte) wire.Result {
	return wire.Result{Status: wire.Chunked, Size: int64(len(value))}
}

// inPieces announces a value to be pulled in pieces, although it would fit in a
// message, where it may not be sent, and memory may not hold it.
func (m *Mesh) inPieces(res wire.Result, value []byte, sent int, now int64) (wire.Result, []byte) {
	if mayBurst(&res, value, sent) {
		return res, value
	}
	res.Status, res.Length, res.Size = wire.Chunked, 0, int64(len(value))
	res.Transfer = m.transfers.open(value, now)
	return res, nil
}

// pulling is a large value on its way here.
type pulling struct {
	k    *call // the question that it answers
	r    reply
	inc  uint64 // who has announced it: nobody else knows the transfer
	size int64
	data []byte // made when the first piece comes

	// What follows is guarded by the link's lock.
	next  int64 // offset of the next piece to ask for
	under int   // pieces asked for
	ended bool
}

// pullPieces gets the value that r announces, of incarnation inc, then ends k with it.
func (l *link) pullPieces(k *call, r reply, inc uint64) {
	size := r.result.Size
	if k.core == nil || size <= 0 { // no answer of ours
		k.end(reply{from: l.id})
		return
	}
	if most := k.core.opts.MaxValueBytes; size > most {
		r.status, r.result.Error, r.data = wire.TooLarge, tooLarge(size, k.key, most), nil
		k.end(r)
		return
	}
	r.status = wire.Value
	p := &pulling{k: k, r: r, inc: inc, size: size}
	l.mu.Lock()
	if !k.forgotten {
		k.pull = p
		l.pulls = append(l.pulls, p)
	}
	l.mu.Unlock()
	l.askPieces()
}

// askPieces asks for as many pieces as may be on their way from this member at
// once, of the values in turn.
func (l *link) askPieces() {
	var calls []*call
	piece := int64(l.m.inlineLimit())
	l.mu.Lock()
	for l.pieces < piecesInFlight && len(l.pulls) > 0 {
		p := l.pulls[0]
		l.pulls = l.pulls[1:]
		offset := p.next
		length := min(piece, p.size-offset)
		if p.ended || length <= 0 {
			continue
		}
		p.next += length
		p.under++
		l.pieces++
		if p.next < p.size {
			l.pulls = append(l.pulls, p)
		}
		calls = append(calls, &call{
			kind: wire.AskChunk, inc: p.inc, transfer: p.r.result.Transfer, offset: offset, length: length,
			done: func(r reply) { l.gotPiece(p, offset, length, r) },
		})
	}
	l.mu.Unlock()
	if len(calls) > 0 {
		l.ask(calls...)
	}
}

func (l *link) gotPiece(p *pulling, offset, length int64, r reply) {
	whole := r.status == wire.Value && int64(len(r.data)) == length
	now := l.m.clock.now()
	l.mu.Lock()
	ended := p.ended
	l.mu.Unlock()
	if whole && !ended { // pieces come one after the other
		if p.data == nil {
			p.data = make([]byte, p.size)
		}
		copy(p.data[offset:], r.data)
	}
	l.mu.Lock()
	l.pieces--
	p.under--
	failed := !whole && !p.ended
	p.ended = p.ended || !whole
	last := !p.ended && p.under == 0 && p.next == p.size
	if failed || last {
		p.k.pull = nil
	}
	// The member has lost the transfer to others: it is asked for the value again.
	again := failed && r.status == wire.Stranger && !l.closed && now-p.k.began < int64(p.k.limit())
	if again {
		l.askAgain(p.k, now)
	}
	l.mu.Unlock()
	switch {
	case again:
		l.nudge()
	case failed:
		p.k.end(reply{from: l.id}) // the next in rank may do better
	case last:
		p.r.data, p.r.at = p.data, now
		p.r.trip = time.Duration(p.r.at - p.k.sent) // all the time since the question
		p.k.end(p.r)
	}
	l.askPieces()
}

// pullTries is how often a value that is offered is pulled when other offers of the
// key come in between.
const pullTries = 8

// offerTo tells heir to pull key from here, and calls done when it has, or when it
// cannot be reached.
func (c *core) offerTo(heir, key string, done func(wire.Status)) {
	c.m.link(heir).ask(&call{core: c, key: key, kind: wire.AskPull, done: func(r reply) { done(r.status) }})
}

// settle has the owner pull v, which was Set here and is kept here as kept, and
// waits for it as long as ctx allows, for a second at most: keeping a value is best
// effort. An owner that holds another value by then, or none, settles it for this member too.
func (c *core) settle(ctx context.Context, key string, v, kept *storeValue) {
	const patience = time.Second
	owner := c.share(c.m.host.current(c.m.clock.now())).owners.Owner(key)
	if owner == "" || owner == c.m.cfg.ID {
		c.offers.done(key, v)
		return
	}
	pulled := make(chan struct{})
	c.offerTo(owner, key, func(status wire.Status) {
		c.offers.done(key, v)
		if status == wire.Nothing && c.store.Peek(key) == kept {
			c.store.Drop(key)
		}
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
