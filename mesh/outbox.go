package mesh

import (
	"sync"
	"time"

	"github.com/cachemesh/cachemesh/internal/roster"
)

// mostPosted bounds what waits to be sent. What comes on top is lost like any
// other message: heartbeats and repetitions make up for it.
const mostPosted = 4096

// outbox sends what the roster tells, in order, on a goroutine of its own: a
// connection to a black hole blocks whoever publishes on it for seconds, and
// neither reads nor the roster's clock may wait for that.
type outbox struct {
	mu    sync.Mutex // guards all below
	queue []roster.Message
	busy  bool          // something was taken and is not sent yet
	empty chan struct{} // closed when all is sent; nil: nobody waits for that

	wake chan struct{} // one place: there is something to send
}

// post leaves messages to be sent.
func (o *outbox) post(msgs []roster.Message) {
	if len(msgs) == 0 {
		return
	}
	o.mu.Lock()
	if room := mostPosted - len(o.queue); len(msgs) > room {
		msgs = msgs[:max(room, 0)]
	}
	o.queue = append(o.queue, msgs...)
	o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// run sends what is posted until done is closed.
func (o *outbox) run(done <-chan struct{}, send func(roster.Message)) {
	for {
		select {
		case <-done:
			return
		case <-o.wake:
		}
		for msgs := o.take(); len(msgs) > 0; msgs = o.take() {
			for _, msg := range msgs {
				send(msg)
			}
		}
	}
}

// take takes all there is. Where there is nothing, everything has been sent.
func (o *outbox) take() []roster.Message {
	o.mu.Lock()
	defer o.mu.Unlock()
	msgs := o.queue
	o.queue, o.busy = nil, len(msgs) > 0
	if !o.busy && o.empty != nil {
		close(o.empty)
		o.empty = nil
	}
	return msgs
}

// drain waits until everything posted has been sent, bound at most.
func (o *outbox) drain(bound time.Duration) {
	o.mu.Lock()
	if len(o.queue) == 0 && !o.busy {
		o.mu.Unlock()
		return
	}
	if o.empty == nil {
		o.empty = make(chan struct{})
	}
	empty := o.empty
	o.mu.Unlock()
	t := time.NewTimer(bound)
	defer t.Stop()
	select {
	case <-empty:
	case <-t.C:
	}
}
