package mesh

import "sync"

// callers are the reads of callers here that memory could not answer at once.
// Leave waits for those that began before it.
type callers struct {
	mu  sync.Mutex // guards all below, and every crowd
	now *crowd     // nil: nobody yet
}

// crowd is the callers of a time.
type crowd struct {
	n     int
	empty chan struct{} // closed when the last one has left; nil: nobody waits for that
}

func (c *callers) enter() *crowd {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now == nil {
		c.now = &crowd{}
	}
	c.now.n++
	return c.now
}

func (c *callers) leave(w *crowd) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w.n--; w.n == 0 && w.empty != nil {
		close(w.empty)
	}
}

// part sets those who are here apart from those who come later, and gives what
// is closed when they have left.
func (c *callers) part() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.now
	c.now = nil
	empty := make(chan struct{})
	if w == nil || w.n == 0 {
		close(empty)
	} else {
		w.empty = empty
	}
	return empty
}
