package mesh

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// hintLife is how long a hint stands: the view shows the new owner long before.
const hintLife = 4 * time.Second

const mostHints = 1 << 16

// longestHint is the longest key of one, in bytes.
const longestHint = 1 << 10

// hints say, for single keys, who asked here as their new owner. A view that
// has not heard of that member yet would name another.
type hints struct {
	some atomic.Int64 // how many: readers pass by without the lock when there are none
	mu   sync.Mutex   // guards who
	who  map[string]hint
}

type hint struct {
	id    string
	until int64
}

func (h *hints) init() { h.who = map[string]hint{} }

func (h *hints) put(key, id string, now int64) {
	if len(key) > longestHint { // it saves a redirect, and is not worth much memory
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.who) >= mostHints {
		for k, old := range h.who {
			if old.until <= now {
				delete(h.who, k)
			}
		}
		if len(h.who) >= mostHints {
			clear(h.who) // a hint saves a redirect; the view knows all the same
		}
	}
	h.who[key] = hint{id, now + int64(hintLife)}
	h.some.Store(int64(len(h.who)))
}

func (h *hints) get(key string, now int64) string {
	if h.some.Load() == 0 {
		return ""
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	old, ok := h.who[key]
	if ok && old.until <= now {
		delete(h.who, key)
		h.some.Store(int64(len(h.who)))
		return ""
	}
	return old.id
}

func (h *hints) drop(key string) {
	if h.some.Load() == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.who, key)
	h.some.Store(int64(len(h.who)))
}

// offers are values that were Set here and that their owner has yet to pull.
// Memory alone may not hold them long enough: a replica may not be admitted.
type offers struct {
	mu   sync.Mutex // guards held
	held map[string]*storeValue
}

func (o *offers) init() { o.held = map[string]*storeValue{} }

func (o *offers) put(key string, v *storeValue) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.held[key] = v
}

func (o *offers) get(key string) *storeValue {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.held[key]
}

// done ends the offer of v, if it is still the one that stands.
func (o *offers) done(key string, v *storeValue) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.held[key] == v {
		delete(o.held, key)
	}
}

func (o *offers) drop(key string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.held, key)
}

func (o *offers) clear() {
	o.mu.Lock()
	defer o.mu.Unlock()
	clear(o.held)
}

// queued are the questions of others whose load has not begun: who asked is told when
// it waits for its turn and when it begins, for an error at a deadline depends on it.
type queued struct {
	mu   sync.Mutex // guards asks
	asks map[*flight][]func(waits bool)
}

func (q *queued) init() { q.asks = map[*flight][]func(bool){} }

// add notes that tell is to be called when f's load has to wait, and when it begins.
func (q *queued) add(f *flight, tell func(waits bool)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.asks[f] = append(q.asks[f], tell)
}

// waits is told when f's load has to wait for its turn.
func (q *queued) waits(f *flight) {
	q.mu.Lock()
	asks := slices.Clone(q.asks[f])
	q.mu.Unlock()
	for _, tell := range asks {
		tell(true)
	}
}

// started is told when f's load begins.
func (q *queued) started(f *flight) {
	for _, tell := range q.take(f) {
		tell(false)
	}
}

// take forgets who is to be told of f: its load has begun, or never will.
func (q *queued) take(f *flight) []func(waits bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	asks := q.asks[f]
	delete(q.asks, f)
	return asks
}
