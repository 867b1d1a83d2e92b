package store

// chances bounds what one Keep spends on entries that stay in the window.
const chances = 16

// window is the recency window in front of ristretto: a queue whose oldest entry
// leaves first, unless it has been read since it was last looked at (the second
// chance of the CLOCK algorithm). TinyLFU alone gives a new key no time to show
// that it is wanted; the window does. Guarded by its segment's mutex.
type window struct {
	newest, oldest *entry
	bytes, limit   int64
}

// push puts e in as the newest.
func (w *window) push(e *entry) {
	e.set(inWindow)
	e.prev, e.next = nil, w.newest
	if w.newest != nil {
		w.newest.prev = e
	} else {
		w.oldest = e
	}
	w.newest = e
	w.bytes += e.cost
}

// unlink takes e out.
func (w *window) unlink(e *entry) {
	if e.prev != nil {
		e.prev.next = e.next
	} else {
		w.newest = e.next
	}
	if e.next != nil {
		e.next.prev = e.prev
	} else {
		w.oldest = e.prev
	}
	e.prev, e.next = nil, nil
	e.unset(inWindow)
	w.bytes -= e.cost
}

// overflow takes out and returns an entry that must leave for a new one of the
// given cost, nil if there is room. An entry that has been read goes to the back
// of the queue instead, up to chances of them at a time. The new one is let in
// even if it is larger than the whole window, so that what has just been kept
// can be read.
func (w *window) overflow(cost int64) *entry {
	for n := 0; w.oldest != nil && w.bytes+cost > w.limit; n++ {
		e := w.oldest
		w.unlink(e)
		if n >= chances || e.value.Load() == nil || !e.unset(used) {
			return e
		}
		w.push(e)
	}
	return nil
}
