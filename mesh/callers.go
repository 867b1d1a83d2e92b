package mesh

import (
	"sync"
	"sync/atomic"
)

// callers are the reads of callers here that memory could not answer at once.
// Leave waits for those that began before it.
type callers struct{ now atomic.Pointer[crowd] } // nil: nobody yet

// crowd is the callers of a time.
type crowd struct {
	n      atomic.Int64
	parted atomic.Bool // part waits until the last one has left
	empty  chan struct{}
	once   sync.Once // empty is closed
}

func (c *callers) enter() *crowd {
	for {
		w := c.now.Load()
		if w == nil {
			c.now.CompareAndSwap(nil, &crowd{empty: make(chan struct{})})
			continue
		}
		w.n.Add(1)
		if c.now.Load() == w { // part, if it comes now, sees this one
			return w
		}
		c.leave(w)
	}
}

func (c *callers) leave(w *crowd) {
	if w.n.Add(-1) == 0 && w.parted.Load() {
		w.once.Do(func() { close(w.empty) })
	}
}

// part sets those who are here apart from those who come later, and gives what
// is closed when they have left.
func (c *callers) part() <-chan struct{} {
	w := c.now.Swap(nil)
	if w == nil {
		w = &crowd{empty: make(chan struct{})}
	}
	w.n.Add(1) // this one leaves last, or leaves it to the last
	w.parted.Store(true)
	c.leave(w)
	return w.empty
}
