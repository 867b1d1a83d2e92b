package mesh

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/cachemesh/cachemesh/internal/store"
	"github.com/cachemesh/cachemesh/loader"
)

// loading is one flight's load.
type loading struct {
	c    *core
	f    *flight
	fill *store.Fill
	// prev is what was held when the load was asked for, expired or not: for a
	// conditional load, and for when the load fails. nil: nothing.
	prev  *storeValue
	trace string // of the read that it is for
	began int64  // when the loader was called
}

// startLoad loads: with others that miss at the same time where the loader takes
// many keys, else by itself.
func (c *core) startLoad(f *flight, fill *store.Fill, trace string) {
	if c.m.closed.Load() || c.shut.Load() || c.m.connectionClosed() { // the end of a connection is told a moment later
		fill.End()
		c.queued.take(f)
		f.Land(outcome{}, ErrClosed)
		return
	}
	if c.loader.one == nil { // a Reader owns nothing, and loads nothing as a last resort
		fill.End()
		f.Land(outcome{}, ErrNoOwner)
		return
	}
	if err := f.Context().Err(); err != nil { // abandoned meanwhile
		fill.End()
		c.queued.take(f)
		f.Land(outcome{}, err)
		return
	}
	l := &loading{c: c, f: f, fill: fill, trace: trace}
	if held := c.store.Peek(f.Key()); held != nil && !held.NotFound && !c.m.host.fenced(c.m.clock.now()) {
		l.prev = held
	}
	f.SetPhase(phaseGathering)
	if c.loader.many != nil {
		c.batch.add(l)
		return
	}
	c.launch([]*loading{l})
}

// launch calls the loader for all of ls in one go: now if there is a place among
// MaxLoads, else when there is. They share a context, which ends when nobody waits
// for any of them.
func (c *core) launch(ls []*loading) {
	ctx, cancel := context.WithTimeout(context.Background(), c.opts.LoadTimeout)
	waited := new(atomic.Int64) // how many of them have not been abandoned
	waited.Store(int64(len(ls)))
	idle := func() {
		if waited.Load() == 0 && !slices.ContainsFunc(ls, (*loading).wanted) {
			cancel()
		}
	}
	for _, l := range ls {
		context.AfterFunc(l.f.Context(), func() {
			waited.Add(-1)
			idle()
		})
	}
	turn := c.slots.take(c.m.clock.now())
	if turn == nil {
		for _, l := range ls {
			l.begins(idle)
			c.queued.take(l.f)
		}
		go c.loads(ctx, cancel, ls)
		return
	}
	c.stats.queued.Add(1)
	for _, l := range ls {
		l.f.SetPhase(phaseQueued)
		c.queued.waits(l.f)
	}
	go func() {
		var err error
		select {
		case <-turn.came:
			for _, l := range ls {
				l.begins(idle)
				c.queued.started(l.f)
			}
			c.loads(ctx, cancel, ls)
			return
		case <-ctx.Done():
			err = fmt.Errorf("%w: %d for cache %s on member %s", ErrOverloaded, c.opts.MaxLoads, c.name, c.m.cfg.ID)
		case <-c.m.done:
			err = ErrClosed
		}
		if !c.slots.leave(turn) { // it had just come
			c.slots.give(c.m.clock.now())
		}
		cancel()
		for _, l := range ls {
			c.queued.take(l.f)
			if l.abandoned() { // the origin was not asked
				l.f.Land(outcome{}, err)
			} else {
				l.fail(err)
			}
			l.fill.End()
		}
	}()
}

// loads runs one call of the loader to its end. A loader that does not honour its
// context keeps its place among MaxLoads, but keeps nobody waiting past
// LoadTimeout; what it brings in the end is still kept.
func (c *core) loads(ctx context.Context, cancel context.CancelFunc, ls []*loading) {
	ended := func(error) {}
	defer func() {
		for _, l := range ls {
			l.fill.End()
		}
		cancel()
		c.slots.give(c.m.clock.now())
	}()
	deadline, _ := ctx.Deadline()
	left := time.Until(deadline)
	// Not by the end of ctx, which comes when all have left: somebody may wait again.
	overdue := time.AfterFunc(left, func() {
		for _, l := range ls {
			l.fail(&LoadError{Key: l.f.Key(), Member: c.m.cfg.ID, Err: c.tooLong(left)})
		}
	})
	defer overdue.Stop()
	began := c.m.clock.now()
	for _, l := range ls {
		l.began = began
	}
	c.stats.loads.Add(1)
	c.stats.keysLoaded.Add(uint64(len(ls)))
	bound := ctx
	if c.opts.Observer != nil {
		ctx, ended = c.tellLoad(ctx, loadEvent(c, ls))
	}
	if len(ls) == 1 {
		item, err := c.loader.one(ctx, ls[0].f.Key(), ls[0].prev)
		err = c.inTime(bound, err, left)
		ended(err)
		c.logPanic(ls, err)
		ls[0].landed(bound, item, err)
		return
	}
	items, err := c.loader.many(ctx, ls)
	err = c.inTime(bound, err, left)
	ended(err)
	c.logPanic(ls, err)
	var keys *KeysError
	if err != nil && !errors.As(err, &keys) {
		for _, l := range ls {
			l.landed(bound, loadedItem{}, err)
		}
		return
	}
	for _, l := range ls {
		key := l.f.Key()
		item, found := items[key]
		var err error
		if keys != nil {
			err = keys.Errs[key]
		}
		if err == nil && !found {
			err = ErrNotFound
		}
		l.landed(bound, item, err)
	}
}

// inTime is err, or the error of a load that took too long where err says no more than that.
func (c *core) inTime(ctx context.Context, err error, left time.Duration) error {
	if errors.Is(err, context.DeadlineExceeded) && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return c.tooLong(left)
	}
	return err
}

// tooLong is the error of a load that took too long, although so much of its time was left when it began.
func (c *core) tooLong(left time.Duration) error {
	if queued := c.opts.LoadTimeout - left; queued > c.opts.LoadTimeout/10 {
		return fmt.Errorf("%w (%v, of which it waited %v for a place among MaxLoads, %d)",
			errLoadTimeout, c.opts.LoadTimeout, queued.Round(time.Millisecond), c.opts.MaxLoads)
	}
	return fmt.Errorf("%w (%v)", errLoadTimeout, c.opts.LoadTimeout)
}

// begins notes that the loader is called now. It may go on when nobody waits any more; who comes then
// waits for what it brings. idle is told when they, too, have left.
func (l *loading) begins(idle func()) {
	l.f.SetPhase(phaseLoading)
	l.f.Linger(idle)
}

// wanted reports whether somebody waits for what it brings, who may have come after all others had left.
func (l *loading) wanted() bool { return l.f.Attached() && l.f.Waiters() > 0 }

// landed ends the flight with what the loader gave, which was called under ctx.
func (l *loading) landed(ctx context.Context, item loadedItem, err error) {
	c, key := l.c, l.f.Key()
	var v *storeValue
	var keep bool
	if err == nil {
		v, keep, err = l.value(item)
	}
	if err != nil {
		if errors.Is(ctx.Err(), context.Canceled) && l.abandoned() && !errors.Is(err, ErrNotFound) {
			l.resume(err)
			return
		}
		c.stats.loadErrors.Add(1)
		l.failed(err)
		return
	}
	source := Loaded
	switch {
	case keep:
		if !c.keepOwn(l.fill, key, v, c.m.clock.now()) {
			source = Bypass
		}
	default:
		source = Bypass
		v.Expires, v.Until = v.Began, v.Began // nobody else is to keep it for long either
		l.dropHeld()
	}
	l.f.Land(outcome{value: v, source: source}, nil)
}

// resume begins anew for those who have come after the call had been told to end; if nobody has,
// the flight ends with err.
func (l *loading) resume(err error) {
	c, f := l.c, l.f
	switch {
	case !f.Resume():
		f.Land(outcome{}, err)
	case f.Attached():
		c.startLoad(f, c.store.Begin(f.Key()), l.trace)
	default: // an invalidation or a Set has been since then, and there may be a newer flight or value
		newer := c.own(f.Key(), &readOptions{trace: l.trace})
		f.OnAbandon(newer.Then(func(out outcome, err error) { f.Land(out, err) }))
	}
}

// abandoned reports whether the load was cancelled because nobody waits for it any more:
// that says nothing of the origin.
func (l *loading) abandoned() bool {
	return errors.Is(context.Cause(l.f.Context()), loader.ErrAbandoned)
}

// failed ends the flight with the loader's error.
func (l *loading) failed(err error) {
	c, key := l.c, l.f.Key()
	switch {
	case errors.Is(err, ErrTooLarge):
		l.dropHeld()
		l.f.Land(outcome{}, err)
		return
	case errors.Is(err, ErrNotFound):
		l.absent()
	}
	l.fail(&LoadError{Key: key, Member: c.m.cfg.ID, Err: err})
}

// logPanic tells the log, once, that a call of the loader has panicked.
func (c *core) logPanic(ls []*loading, err error) {
	var panicked *loader.PanicError
	if errors.As(err, &panicked) {
		c.m.log.Error("cachemesh: a loader panicked", "cache", c.name, "key", ls[0].f.Key()[:min(len(ls[0].f.Key()), mostQuoted)], "keys", len(ls), "panic", panicked.Value, "stack", string(panicked.Stack))
	}
}

// absent takes note that the origin has no such key: what was held is gone.
func (l *loading) absent() {
	c, key := l.c, l.f.Key()
	if c.opts.NegativeTTL <= 0 {
		l.dropHeld()
		return
	}
	v := &storeValue{NotFound: true, Began: l.began, Owner: c.m.cfg.ID, Expires: c.expiry(l.began, c.opts.NegativeTTL)}
	v.Until, v.Refresh = v.Expires, v.Expires
	c.keepOwn(l.fill, key, v, c.m.clock.now())
}

// dropHeld drops what was held before the load, which must not be answered any more.
func (l *loading) dropHeld() {
	if key := l.f.Key(); l.prev != nil && l.c.store.Peek(key) == l.prev {
		l.c.store.Drop(key)
	}
}

// fail ends the flight with err, or with the value held where it may still be
// answered. The origin is then left alone for a while.
func (l *loading) fail(err error) {
	now := l.c.m.clock.now()
	if p := l.prev; p != nil && !errors.Is(err, ErrNotFound) {
		p.Renewal.Store(renewal(later(now, l.c.opts.ErrorBackoff), true))
		// What an invalidation has overtaken is never answered as stale.
		if now < later(p.Expires, l.c.opts.StaleIfError) && now < p.Until && !l.fill.VoidFor(p.Tags()) {
			l.f.Land(outcome{value: p, source: sourceOf(p), cause: err}, nil)
			return
		}
	}
	l.f.Land(outcome{}, err)
}
