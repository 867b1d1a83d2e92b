package mesh

import (
	"slices"
	"sync"
	"time"

	"github.com/cachemesh/cachemesh/internal/wire"
)

// What is held of values that others pull is held beside the caches' budgets: it goes soon.
const (
	// transferLife is how long an announced value waits for the next question.
	transferLife = 30 * time.Second
	// transferRest is how long it waits once its last piece has been asked for: of those
	// on their way one may have been lost.
	transferRest = 2 * time.Second
	// mostResting is how many bytes rest, but for the value that rested last. Who still lacks
	// a piece of what has gone asks for the value again.
	mostResting = 64 << 20
	// mostTransfers bounds what is held for members that never come back.
	mostTransfers = 4096
	// transferSweep is how often those are taken out whose time is over.
	transferSweep = time.Second
)

// transfers are the large values that others are pulling.
type transfers struct {
	mu      sync.Mutex // guards all below
	next    uint64
	held    map[uint64]*transfer
	resting []uint64 // of held, the oldest first; some may have gone
	bytes   int64    // of those that rest
	now     int64    // the latest time that is known here
	timed   bool     // sweep will be called
}

type transfer struct {
	data  []byte
	until int64
	rests bool // the last piece has been asked for
}

func (t *transfers) init() { t.held = map[uint64]*transfer{} }

// open announces data and gives the number that pieces of it are asked by.
func (t *transfers) open(data []byte, now int64) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now = max(t.now, now)
	for n := range t.held {
		if len(t.held) < mostTransfers {
			break
		}
		t.drop(n) // any: who pulls it asks for the value again
	}
	t.next++
	t.held[t.next] = &transfer{data: data, until: now + int64(transferLife)}
	t.sweepLater()
	return t.next
}

// piece answers a question for a piece.
func (t *transfers) piece(q *wire.Question, now int64) (wire.Result, []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now = max(t.now, now)
	x := t.held[q.Transfer]
	if x == nil || q.Length > int64(len(x.data)) || q.Offset > int64(len(x.data))-q.Length {
		return wire.Result{Status: wire.Stranger}, nil
	}
	end := q.Offset + q.Length
	if end == int64(len(x.data)) && !x.rests {
		t.rest(q.Transfer, x)
	}
	if x.until = now + int64(transferLife); x.rests {
		x.until = now + int64(transferRest)
	}
	return wire.Result{Status: wire.Value}, x.data[q.Offset:end:end]
}

// rest notes that the last piece of x has been asked for. mu is held.
func (t *transfers) rest(n uint64, x *transfer) {
	x.rests = true
	t.bytes += int64(len(x.data))
	t.resting = append(t.resting, n)
	for t.bytes > mostResting && len(t.resting) > 1 {
		t.drop(t.resting[0])
		t.resting = t.resting[1:]
	}
}

// drop takes one out. mu is held.
func (t *transfers) drop(n uint64) {
	if x := t.held[n]; x != nil && x.rests {
		t.bytes -= int64(len(x.data))
	}
	delete(t.held, n)
}

// sweepLater has sweep called while anything is held. mu is held.
func (t *transfers) sweepLater() {
	if !t.timed && len(t.held) > 0 {
		t.timed = true
		time.AfterFunc(transferSweep, t.sweep)
	}
}

// sweep takes out those whose time is over.
func (t *transfers) sweep() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now += int64(transferSweep)
	for n, x := range t.held {
		if x.until <= t.now {
			t.drop(n)
		}
	}
	t.resting = slices.DeleteFunc(t.resting, func(n uint64) bool { return t.held[n] == nil })
	t.timed = false
	t.sweepLater()
}

func (t *transfers) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.held)
	t.resting, t.bytes = nil, 0
}
