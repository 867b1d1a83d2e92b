package mesh

import (
	"sync"
	"time"
)

// batcher gathers loads that begin at the same time for one call of LoadMany.
// Those of one GetMany, or of one message of another member, go together; a lone
// one waits a little for company.
type batcher struct {
	c *core

	mu    sync.Mutex // guards all below
	ls    []*loading
	holds int // who is about to add more
	timer *time.Timer
	armed bool // the timer will flush
	long  bool // after heldMost
}

// heldMost is how long a load waits for who holds its batch: sending to others, it may
// be held up by a connection that is stuck.
const heldMost = 50 * time.Millisecond

// add takes a load. It is launched when the batch is full, when who holds it has
// let go, or when the window has passed.
func (b *batcher) add(l *loading) {
	b.mu.Lock()
	b.ls = append(b.ls, l)
	if len(b.ls) >= b.c.opts.BatchLimit || b.holds == 0 && b.c.opts.BatchWindow == 0 {
		b.launch()
		return
	}
	b.arm(b.holds > 0)
	b.mu.Unlock()
}

// hold keeps the batch together until release.
func (b *batcher) hold() {
	b.mu.Lock()
	b.holds++
	b.mu.Unlock()
}

func (b *batcher) release() {
	b.mu.Lock()
	b.holds--
	switch {
	case b.holds > 0 || len(b.ls) == 0:
	case len(b.ls) > 1 || b.c.opts.BatchWindow == 0:
		b.launch()
		return
	default:
		b.arm(false)
	}
	b.mu.Unlock()
}

// arm has the batch launched when the window has passed, or heldMost. The lock is held.
func (b *batcher) arm(long bool) {
	if b.armed && (long || !b.long) {
		return
	}
	after := b.c.opts.BatchWindow
	if long {
		after = max(after, heldMost)
	}
	b.armed, b.long = true, long
	if b.timer == nil {
		b.timer = time.AfterFunc(after, b.flush)
		return
	}
	b.timer.Reset(after)
}

func (b *batcher) flush() {
	b.mu.Lock()
	b.armed = false
	switch {
	case len(b.ls) == 0:
		b.mu.Unlock()
	case b.holds > 0 && !b.long:
		b.arm(true)
		b.mu.Unlock()
	default:
		b.launch()
	}
}

// launch loads what has gathered. The lock is held, and given back.
func (b *batcher) launch() {
	ls := b.ls
	b.ls = nil
	b.mu.Unlock()
	b.c.launch(ls)
}
