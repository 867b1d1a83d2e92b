package mesh

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
)

// Any NATS client reads through the mesh: it requests mesh.<name>.get.<cache>
// with the key as the body. One member of those that own a share answers.

// Headers of an answer to a client outside the mesh.
const (
	HeaderAge    = "Cachemesh-Age"    // seconds since the value's load began
	HeaderTTL    = "Cachemesh-TTL"    // seconds of life left; absent for a value that never expires
	HeaderSource = "Cachemesh-Source" // Source, in words
	HeaderOwner  = "Cachemesh-Owner"  // ID of the member that owns it
	HeaderETag   = "Cachemesh-ETag"   // the origin's, if it has one
	HeaderStale  = "Cachemesh-Stale"  // "true" for a value past its TTL, as Entry.Stale; else absent
)

const (
	gatewayQueue = "cachemesh"
	// gatewayMost is how many reads of clients one member answers at once for a cache, and
	// how many invalidations.
	gatewayMost = 1024

	displacedText = "this member has been displaced by another of its ID"
)

// gateway counts the clients' requests of one cache.
type gateway struct {
	requests, errors atomic.Uint64
	nanos            atomic.Int64 // spent on them
}

func (m *Mesh) openGateway(c *core) error {
	handle := func(alsoUnasked bool, answer func(*nats.Msg)) nats.MsgHandler {
		places := make(chan struct{}, gatewayMost) // of its own: reads that wait for loads keep no invalidation out
		return func(msg *nats.Msg) {
			if msg.Reply == "" && !alsoUnasked {
				return
			}
			select {
			case places <- struct{}{}:
			default:
				m.refuseClient(msg, 429, "too many requests at once")
				return
			}
			with := m.callers.enter() // a leave waits for it
			go func() {
				defer m.callers.leave(with)
				began := m.clock.now()
				if m.displaced() {
					m.refuseClient(msg, 503, displacedText)
				} else {
					answer(msg)
				}
				m.gateway.requests.Add(1)
				m.gateway.nanos.Add(m.clock.now() - began)
				<-places
			}()
		}
	}
	get, err := m.listenQueue(m.subj.Get(c.name), gatewayQueue, false, handle(false, c.answerGet))
	if err != nil {
		return err
	}
	invalidate, err := m.listenQueue(m.subj.Invalidate(c.name), gatewayQueue, false, handle(true, c.answerInvalidate))
	if err != nil {
		m.unlisten([]*nats.Subscription{get})
		return err
	}
	c.entrance.add(get, invalidate)
	return nil
}

func (m *Mesh) closeGateway(c *core) { m.unlisten(c.entrance.take()) }

// entrance is what one core listens to clients by: another of its name, opened after it was
// closed, has its own.
type entrance struct {
	mu   sync.Mutex // guards subs
	subs []*nats.Subscription
}

func (e *entrance) add(subs ...*nats.Subscription) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.subs = append(e.subs, subs...)
}

func (e *entrance) take() (subs []*nats.Subscription) {
	e.mu.Lock()
	defer e.mu.Unlock()
	subs, e.subs = e.subs, nil
	return subs
}

// refuseClient answers with an error as NATS services do. Who wants no answer to an invalidation
// leaves a line in the log.
func (m *Mesh) refuseClient(msg *nats.Msg, code int, text string) {
	m.gateway.errors.Add(1)
	if msg.Reply == "" {
		m.log.Warn("cachemesh: a client's request without a reply subject has failed", "subject", msg.Subject, "code", code, "error", text)
		return
	}
	text = text[:min(len(text), mostWords)]
	reply := nats.NewMsg(msg.Reply)
	reply.Header.Set(micro.ErrorHeader, text)
	reply.Header.Set(micro.ErrorCodeHeader, strconv.Itoa(code))
	_ = m.nc.PublishMsg(reply) // a client that is not told times out
}

// statusOf is the code that stands for err.
func statusOf(err error) int {
	var partial *PartialError
	switch {
	case errors.As(err, &partial):
		return 504
	case errors.Is(err, ErrBadKey):
		return 400
	case errors.Is(err, ErrNotFound):
		return 404
	case errors.Is(err, ErrTooLarge):
		return 413
	case errors.Is(err, ErrOverloaded):
		return 429
	case errors.Is(err, ErrNoOwner), errors.Is(err, ErrClosed):
		return 503
	}
	return 500
}

func (c *core) answerGet(msg *nats.Msg) {
	m := c.m
	ctx, cancel := context.WithTimeout(context.Background(), c.opts.LoadTimeout+callSlack)
	defer cancel()
	out, err := c.read(ctx, string(msg.Data), &readOptions{})
	if err != nil {
		m.refuseClient(msg, statusOf(err), err.Error())
		return
	}
	v := out.value
	now := m.clock.now()
	reply := nats.NewMsg(msg.Reply)
	reply.Data = v.Data
	reply.Header.Set(HeaderAge, seconds(max(0, left(now, v.Began))))
	if v.Expires != forever {
		reply.Header.Set(HeaderTTL, seconds(max(0, left(v.Expires, now))))
	}
	reply.Header.Set(HeaderSource, out.source.String())
	reply.Header.Set(HeaderOwner, v.Owner)
	if out.stale(now) {
		reply.Header.Set(HeaderStale, "true")
	}
	if etag := v.ETag(); etag != "" {
		reply.Header.Set(HeaderETag, etag)
	}
	err = m.nc.PublishMsg(reply)
	switch {
	case errors.Is(err, nats.ErrMaxPayload):
		m.refuseClient(msg, 413, fmt.Sprintf("the value has %d bytes, and a message takes %d with its headers", len(v.Data), m.nc.MaxPayload()))
	case err != nil:
		m.refuseClient(msg, 500, err.Error())
	}
}

func (c *core) answerInvalidate(msg *nats.Msg) {
	ctx, cancel := context.WithTimeout(context.Background(), c.m.cfg.Lease+callSlack)
	defer cancel()
	if err := c.invalidateKeys(ctx, []string{string(msg.Data)}); err != nil {
		c.m.refuseClient(msg, statusOf(err), err.Error())
		return
	}
	if c.m.displaced() { // it may have been alone when the invalidation began
		c.m.refuseClient(msg, 503, displacedText)
		return
	}
	if msg.Reply != "" {
		_ = c.m.nc.Publish(msg.Reply, nil)
	}
}

func seconds(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'f', 3, 64)
}
