package testenv

import (
	"net"
	"sync"
	"time"
)

// laneLimit is what a lane over real sockets holds before it stops reading, in bytes. As with a real black hole, the
// sender's writes then block. In memory there is no limit: a blocked write would stop a virtual clock.
const laneLimit = 16 << 20

// frame is what travels in one piece.
type frame struct {
	data []byte
	due  time.Time // not delivered before, nor before the frames ahead of it: a stream keeps its order
}

// lane carries one direction of one connection. One goroutine reads from it, another delivers, so that a delay or a
// black hole blocks neither end.
type lane struct {
	link *Link
	way  Direction
	wake chan struct{} // holds one: the queue or the link's faults have changed
	room chan struct{} // holds one: the queue has become shorter
	done chan struct{} // of the pipe: closed when the connection is cut

	mu    sync.Mutex // guards the rest
	queue []frame
	held  int  // bytes in queue
	ended bool // the sender has closed: nothing more will come
	dead  bool // the receiver has closed: discard
}

func newLane(l *Link, way Direction, done chan struct{}) *lane {
	return &lane{link: l, way: way, done: done, wake: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

// read queues what comes until the sender closes.
func (a *lane) read(from net.Conn) {
	f := newFrames(from)
	for {
		data, message, err := f.next()
		if len(data) > 0 && (!message || !a.link.loses(a.way)) {
			a.put(data)
		}
		if err != nil {
			break
		}
	}
	a.mu.Lock()
	a.ended = true
	a.mu.Unlock()
	a.poke()
}

func (a *lane) put(data []byte) {
	due := time.Now().Add(a.link.delay(a.way))
	a.mu.Lock()
	if !a.dead {
		a.queue = append(a.queue, frame{data, due})
		a.held += len(data)
	}
	full := a.full()
	a.mu.Unlock()
	a.poke()
	for full {
		select {
		case <-a.room:
		case <-a.done:
			return
		}
		a.mu.Lock()
		full = a.full()
		a.mu.Unlock()
	}
}

func (a *lane) full() bool { return a.link.listener != nil && a.held > laneLimit }

func (a *lane) poke() { signal(a.wake) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// write delivers what is due until the sender has closed and everything is delivered, or the receiver has closed. It
// closes the receiver's connection: the end of a stream, too, waits its turn behind a black hole.
func (a *lane) write(to net.Conn) {
	defer to.Close()
	for {
		batch, wait, ended := a.take()
		if len(batch) > 0 {
			if _, err := batch.WriteTo(to); err != nil {
				a.discard()
				return
			}
			continue
		}
		if ended || !a.sleep(wait) {
			return
		}
	}
}

// sleep waits for a change, for wait at the most if it is positive. It is false when the connection has been cut.
func (a *lane) sleep(wait time.Duration) bool {
	var due <-chan time.Time
	if wait > 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		due = t.C
	}
	select {
	case <-a.wake:
	case <-due:
	case <-a.done:
		return false
	}
	return true
}

// take returns what may be delivered now, or how long until then (0: until something changes).
func (a *lane) take() (batch net.Buffers, wait time.Duration, ended bool) {
	swallowed := a.link.swallows(a.way)
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	if swallowed {
		return nil, 0, false
	}
	n := 0
	for ; n < len(a.queue) && !a.queue[n].due.After(now); n++ {
		batch = append(batch, a.queue[n].data)
		a.held -= len(a.queue[n].data)
	}
	if n > 0 {
		clear(a.queue[:n])
		a.queue = a.queue[n:]
		signal(a.room)
		return batch, 0, false
	}
	if len(a.queue) > 0 {
		return nil, a.queue[0].due.Sub(now), false
	}
	return nil, 0, a.ended
}

func (a *lane) discard() {
	a.mu.Lock()
	a.queue, a.held, a.dead = nil, 0, true
	a.mu.Unlock()
	signal(a.room)
}

func (a *lane) over() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.ended
}
