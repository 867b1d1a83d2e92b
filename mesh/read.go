package mesh

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cachemesh/cachemesh/internal/wire"
)

// tries is how often a read that joined a flight which found nothing begins again.
const tries = 3

// read answers a read of key from memory, or by a flight.
func (c *core) read(ctx context.Context, key string, o *readOptions) (outcome, error) {
	if len(key) == 0 || len(key) > maxKey {
		return outcome{}, badKey(key)
	}
	now := o.began
	if now == 0 {
		now = c.m.clock.now()
	}
	if c.m.host.asleep(now) {
		if err := c.m.awake(ctx); err != nil {
			return outcome{}, err
		}
		now = c.m.clock.now()
	}
	o.began = now
	if !c.m.host.fenced(now) {
		if out, ok := c.recall(key, o, now); ok {
			return out, c.absent(key, out)
		}
	}
	c.stats.at(key).misses.Add(1)
	return c.miss(ctx, key, o)
}

// quick answers the plain read of a fresh value that this member holds, which is what
// most reads are, and tells when it was: nil, and nothing is counted nor told to the
// observer, where there is anything to consider. o is what read goes on with then.
func (c *core) quick(ctx context.Context, key string) (v *storeValue, o readOptions) {
	now := c.m.clock.now()
	v, other := c.store.Fresh(key, now)
	if v == nil || !c.plain(v, now) {
		return nil, readOptions{began: now, nothing: v == nil && !other}
	}
	counter := c.stats.at(key)
	if v.IsReplica() {
		v.Reads.Add(1)
		counter.replicaHits.Add(1)
	} else {
		counter.hits.Add(1)
	}
	if c.opts.Observer != nil {
		c.tellRead(ctx, key, outcome{value: v, source: sourceOf(v)}, nil, now)
	}
	return v, readOptions{began: now}
}

// plain reports whether v, which is fresh in memory, may be answered at now as it is.
func (c *core) plain(v *storeValue, now int64) bool {
	if now-c.m.host.ticked.Load() >= int64(c.m.cfg.Lease) {
		return false
	}
	if limit := c.opts.MaxIsolation; limit > 0 && c.m.cutOff(now) > limit {
		return false
	}
	vw := c.m.host.view.Load()
	return v.View.Load() == vw.Number && !vw.Waking && !vw.Fenced(now)
}

// recall answers from this member's memory.
func (c *core) recall(key string, o *readOptions, now int64) (outcome, bool) {
	if o.fresh {
		return outcome{}, false
	}
	if limit := c.opts.MaxIsolation; limit > 0 && c.m.cutOff(now) > limit {
		o.isolated = true
		return outcome{}, false
	}
	if o.nothing {
		return outcome{}, false
	}
	v := c.store.Peek(key)
	if v == nil {
		return outcome{}, false
	}
	o.held = v
	if now >= v.Until || o.tooOld(v, now) {
		return outcome{}, false
	}
	if vw := c.m.host.view.Load(); v.View.Load() != vw.Number {
		c.restamp(key, v, vw, now)
		if v = c.store.Get(key, now); v == nil {
			return outcome{}, false
		}
	}
	counter := c.stats.at(key)
	if now >= v.Refresh {
		if !c.stands(v, now) {
			return outcome{}, false
		}
		if !o.cachedOnly {
			c.renew(key, v, now, o.trace)
		}
		if now >= v.Expires {
			counter.staleHits.Add(1)
			return outcome{value: v, source: sourceOf(v)}, true
		}
	}
	if v.Replica {
		v.Reads.Add(1)
		counter.replicaHits.Add(1)
		return outcome{value: v, source: Replica}, true
	}
	counter.hits.Add(1)
	return outcome{value: v, source: Local}, true
}

// absent is the error of a remembered absence.
func (c *core) absent(key string, out outcome) error {
	if out.value != nil && out.value.NotFound {
		return &LoadError{Key: key, Member: out.value.Owner, Err: ErrNotFound}
	}
	return nil
}

// miss waits for a flight for key.
func (c *core) miss(ctx context.Context, key string, o *readOptions) (outcome, error) {
	if ctx == nil {
		return outcome{}, errNilContext
	}
	with := c.m.callers.enter()
	defer c.m.callers.leave(with)
	now := o.began
	if waited, err := c.ready(ctx); err != nil {
		return outcome{}, err
	} else if waited {
		now = c.m.clock.now()
	}
	c.fence(o, 1)
	if o.cachedOnly {
		return c.startCached(key, o).wait(ctx)
	}
	for try := 0; ; try++ {
		if try > 0 {
			now = c.m.clock.now()
		}
		f, err := c.join(ctx, key, o, now, nil)
		if err != nil {
			return outcome{}, err
		}
		out, again, err := c.settleRead(ctx, f, o)
		if !again || try >= tries {
			return out, err
		}
		if err == nil && try > 0 { // too old twice: once more, joining nothing
			o.fresh = true
		}
	}
}

// settleRead waits for f and says what it means for a read with the options o. again:
// the read is to begin anew; where there is no error, because what f gave is too old.
func (c *core) settleRead(ctx context.Context, f *flight, o *readOptions) (out outcome, again bool, err error) {
	key := f.Key()
	old := c.fallback(key, o)
	if old != nil {
		var dropped bool
		if out, dropped, err = c.waitSoftly(ctx, f, old, o.began); dropped {
			return outcome{}, true, errNothing
		}
	} else {
		out, err = f.Wait(ctx)
	}
	if err != nil {
		if ctx.Err() != nil && f.Phase() == phaseQueued && !isLanded(err) {
			return out, false, fmt.Errorf("%w: the load of %s had not begun: %w", ErrOverloaded, quoteKey(key), err)
		}
		return out, errors.Is(err, errNothing), err
	}
	now := out.at
	if now == 0 || o.maxAge > 0 {
		now = c.m.clock.now()
	}
	if err := out.err(o, now); err != nil {
		return outcome{}, false, err
	}
	if (o.tooOld(out.value, now) || c.ranOut(out, o.began)) && !o.fresh {
		return out, true, nil
	}
	if out.stale(now) {
		c.stats.staleLate.Add(1)
	}
	if o.isolated || o.bypass {
		out.source = Bypass
	}
	if err := c.absent(key, out); err != nil {
		return out, false, err
	}
	if out.value != old || old == nil { // else it may have left f, and is no longer among its users
		out.lease = f
	}
	return out, false, nil
}

// ranOut reports whether what was fetched from another member's memory had come to its
// end before the read began: the read has joined a fetch that was under way.
func (c *core) ranOut(out outcome, began int64) bool {
	return out.source == Owner && began > 0 && later(out.value.Expires, c.opts.staleWindow()) <= began
}

// ready waits until this member's opening of the cache is confirmed: until then
// nobody can say who owns what. waited: that took a while.
func (c *core) ready(ctx context.Context) (waited bool, err error) {
	select {
	case <-c.opened:
	default:
		if c.m.host.fenced(c.m.clock.now()) { // it asks nobody
			break
		}
		waited = true
		select {
		case <-c.opened:
		case <-ctx.Done():
			return true, context.Cause(ctx)
		}
	}
	if c.m.closed.Load() || c.shut.Load() {
		return waited, ErrClosed
	}
	return waited, nil
}

// join joins the flight for key that a caller here waits for, or starts one. A first
// question to its owner goes to g, if there is one. now is a moment since ctx was last waited for.
func (c *core) join(ctx context.Context, key string, o *readOptions, now int64, g *gathering) (*flight, error) {
	c.blank.use()
	if o.bypass && c.loader.one != nil {
		return c.own(key, o), nil
	}
	owner := c.first(key, now)
	if owner == "" && c.m.cfg.Reader {
		owner, now = c.awaitOwner(ctx, key), c.m.clock.now()
		if owner == "" {
			if err := ctx.Err(); err != nil {
				return nil, context.Cause(ctx)
			}
			return nil, fmt.Errorf("%w: nobody has opened cache %s", ErrNoOwner, c.name)
		}
	}
	if owner == c.m.cfg.ID || owner == "" {
		return c.own(key, o), nil
	}
	return c.fetchFrom(owner, key, o, now, g), nil
}

// awaitOwner gives others a heartbeat's time to open the cache.
func (c *core) awaitOwner(ctx context.Context, key string) string {
	const looks = 20
	tick := time.NewTicker(c.m.ownerPatience() / looks)
	defer tick.Stop()
	for range looks {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ""
		case <-c.m.done:
			return ""
		}
		if owner := c.first(key, c.m.clock.now()); owner != "" {
			return owner
		}
	}
	return ""
}

// isLanded reports whether err is what a flight landed with, not a caller's own end.
func isLanded(err error) bool {
	var le *LoadError
	return errors.As(err, &le) || errors.Is(err, ErrOverloaded) || errors.Is(err, ErrTooLarge) || errors.Is(err, ErrClosed)
}

// cachedCall is a question for what the owner holds. Nothing is loaded for it,
// so no flight is joined or started.
type cachedCall struct {
	k      *call
	l      *link // nil: there is nobody to ask
	landed chan reply
}

// startCached asks the owner for what it holds.
func (c *core) startCached(key string, o *readOptions) *cachedCall {
	q := &cachedCall{landed: make(chan reply, 1)}
	owner := c.first(key, c.m.clock.now())
	if owner == "" || owner == c.m.cfg.ID || o.fresh || o.bypass {
		return q
	}
	q.l = c.m.link(owner)
	q.k = &call{
		core: c, key: key, kind: wire.AskGet, flags: wire.FlagCachedOnly, maxAge: o.maxAge,
		done: func(r reply) { q.landed <- r },
	}
	q.l.ask(q.k)
	return q
}

// wait waits for the answer as long as ctx allows.
func (q *cachedCall) wait(ctx context.Context) (outcome, error) {
	if q.l == nil {
		return outcome{}, ErrNotCached
	}
	c := q.k.core
	select {
	case r := <-q.landed:
		switch r.status {
		case wire.Value:
			now := c.m.clock.now()
			out := outcome{value: c.received(r, now), source: Owner}
			if out.stale(now) {
				c.stats.staleLate.Add(1)
			}
			return out, nil
		case wire.NotFound, wire.TooLarge:
			return outcome{}, r.err(q.k.key)
		}
		return outcome{}, ErrNotCached
	case <-ctx.Done():
		q.l.forget(q.k)
		return outcome{}, context.Cause(ctx)
	case <-c.m.done:
		return outcome{}, ErrClosed
	}
}

// awake waits until the round after a stop is over (rule R11), for a lease at most.
func (m *Mesh) awake(ctx context.Context) error {
	over := m.host.wake()
	if over == nil {
		return nil
	}
	bound := time.NewTimer(m.cfg.Lease + m.cfg.Heartbeat)
	defer bound.Stop()
	select {
	case <-over:
	case <-bound.C:
	case <-m.done:
		return ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

func badKey(key string) error {
	if key == "" {
		return fmt.Errorf("%w: it is empty, and must have 1 to %d bytes", ErrBadKey, maxKey)
	}
	return fmt.Errorf("%w: it has %d bytes, and must have 1 to %d", ErrBadKey, len(key), maxKey)
}
