package mesh

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/cachemesh/cachemesh/internal/store"
	"github.com/cachemesh/cachemesh/internal/wire"
	"github.com/cachemesh/cachemesh/loader"
)

type flight = loader.Flight[outcome]

// Phases of a flight, in their order.
const (
	phaseStarting uint32 = iota
	phaseTaking          // asks who held the key before
	phaseQueued          // will load; the load has not begun
	phaseLoading
)

// errNothing lands a flight that was not to load and found nothing. Who joined
// it meanwhile tries again.
var errNothing = errors.New("mesh: nothing held")

// own joins the flight in which this member acts as owner of key, or starts
// it. fresh: only one whose load begins after now.
func (c *core) own(key string, fresh bool) *flight {
	if fresh {
		if f := c.owns.JoinIf(key, func(f *flight) bool { return f.Phase() == phaseQueued }); f != nil {
			return f
		}
		f := c.owns.Replace(key)
		f.SetPhase(phaseQueued)
		c.startLoad(f, c.store.Begin(key))
		return f
	}
	f, lead := c.owns.Join(key)
	if !lead {
		c.stats.coalesced.Add(1)
		return f
	}
	fill := c.store.Begin(key)
	now := c.m.clock.now()
	if v := c.store.Get(key, now); v != nil { // landed since the caller looked
		fill.End()
		f.Land(outcome{value: v, source: Local}, nil)
		return f
	}
	if v := c.claim(c.store.Begin(key), key, now); v != nil {
		fill.End()
		f.Land(outcome{value: v, source: Local}, nil)
		return f
	}
	sh := c.m.host.current(now).share(c.name)
	if prev := sh.previous(c.m.cfg.ID, key, now, c.youth()); prev != "" {
		f.SetPhase(phaseTaking)
		c.takeOver(f, fill, prev)
		return f
	}
	c.startLoad(f, fill)
	return f
}

// youth is how long a new owner asks the previous one before it loads: as long
// as a value that was held before may live, an hour at most.
func (c *core) youth() time.Duration { return min(c.opts.TTL, time.Hour) }

// takeOver asks prev for what it holds or is loading, before this member loads.
func (c *core) takeOver(f *flight, fill *store.Fill, prev string) {
	c.stats.takeOvers.Add(1)
	key := f.Key()
	c.m.link(prev).ask(&call{
		core: c, key: key, kind: wire.AskTakeOver,
		done: func(r reply) {
			now := c.m.clock.now()
			switch r.status {
			case wire.Value:
				v := c.received(r, now)
				v.Owner = c.m.cfg.ID
				c.queued.take(f)
				c.stats.takenOver.Add(1)
				c.keepOwn(fill, key, v, now)
				f.Land(outcome{value: v, source: Owner}, nil)
				return
			case wire.NotFound:
				fill.End()
				c.queued.take(f)
				f.Land(outcome{}, r.err(key))
				return
			}
			if v := c.store.Get(key, now); v != nil { // a Set has put it meanwhile
				fill.End()
				f.Land(outcome{value: v, source: Local}, nil)
				return
			}
			if f.Pinned() && f.Waiters() <= 1 { // only who offers waits: that is worth no load
				fill.End()
				f.Land(outcome{}, errNothing)
				return
			}
			c.startLoad(f, fill)
		},
	})
}

// pull takes key over from a member that offers it: a leaver, or one that has Set it.
// done is called when that has been tried.
func (c *core) pull(key, from string, done func()) {
	now := c.m.clock.now()
	if c.store.Get(key, now) != nil || c.owns.Peek(key) != nil || !c.m.host.current(now).Joined {
		done()
		return
	}
	f, lead := c.owns.Join(key)
	f.Then(func(outcome, error) { done() })
	if !lead {
		return
	}
	f.Pin()
	f.SetPhase(phaseTaking)
	c.takeOver(f, c.store.Begin(key), from)
}

// startLoad loads, now if there is a place, else when there is.
func (c *core) startLoad(f *flight, fill *store.Fill) {
	if c.load == nil { // a Reader never acts as owner; a change of roles is not possible
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
	ctx, cancel := context.WithTimeout(f.Context(), c.opts.LoadTimeout)
	select {
	case c.slots <- struct{}{}:
		f.SetPhase(phaseLoading)
		c.queued.started(f)
		go c.loads(ctx, cancel, f, fill)
		return
	default:
	}
	f.SetPhase(phaseQueued)
	c.queued.waits(f)
	c.stats.queued.Add(1)
	go func() {
		select {
		case c.slots <- struct{}{}:
			f.SetPhase(phaseLoading)
			c.queued.started(f)
			c.loads(ctx, cancel, f, fill)
		case <-ctx.Done():
			cancel()
			fill.End()
			c.queued.take(f)
			f.Land(outcome{}, fmt.Errorf("%w: %d for cache %s on member %s", ErrOverloaded, c.opts.MaxLoads, c.name, c.m.cfg.ID))
		case <-c.m.done:
			cancel()
			fill.End()
			f.Land(outcome{}, ErrClosed)
		}
	}()
}

// loads runs one load to its end. A loader that does not honour its context
// keeps its place among MaxLoads, but keeps nobody waiting past LoadTimeout.
func (c *core) loads(ctx context.Context, cancel context.CancelFunc, f *flight, fill *store.Fill) {
	key := f.Key()
	defer func() {
		fill.End()
		cancel()
		<-c.slots
	}()
	c.stats.loads.Add(1)
	stop := context.AfterFunc(ctx, func() {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			f.Land(outcome{}, &LoadError{Key: key, Member: c.m.cfg.ID, Err: fmt.Errorf("%w (%v)", errLoadTimeout, c.opts.LoadTimeout)})
		}
	})
	defer stop()
	began := c.m.clock.now()
	item, err := c.load(ctx, key)
	now := c.m.clock.now()
	if err == nil {
		var v *storeValue
		var keep bool
		if v, keep, err = c.fromItem(key, item, began); err == nil {
			source := Loaded
			if !keep || !c.keepOwn(fill, key, v, now) {
				source = Bypass
			}
			f.Land(outcome{value: v, source: source}, nil)
			return
		}
	}
	c.stats.loadErrors.Add(1)
	var panicked *loader.PanicError
	switch {
	case errors.Is(err, ErrTooLarge):
		f.Land(outcome{}, err)
		return
	case errors.As(err, &panicked):
		c.m.log.Error("cachemesh: a loader panicked", "cache", c.name, "key", quoteKey(key), "panic", panicked.Value, "stack", string(panicked.Stack))
	case errors.Is(err, ErrNotFound):
		if c.opts.NegativeTTL > 0 {
			v := &storeValue{NotFound: true, Began: began, Owner: c.m.cfg.ID, Expires: c.expiry(began, c.opts.NegativeTTL)}
			v.Until = v.Expires
			c.keepOwn(fill, key, v, now)
		}
	}
	f.Land(outcome{}, &LoadError{Key: key, Member: c.m.cfg.ID, Err: err})
}

// fromItem makes a value of what a loader gave, and says whether it may be kept.
func (c *core) fromItem(key string, item loadedItem, began int64) (v *storeValue, keep bool, err error) {
	if item.meta.NotModified {
		return nil, false, errors.New("the loader says NotModified, and there was no Prev")
	}
	data, err := c.coder.encode(item.value)
	if err != nil {
		return nil, false, err
	}
	if int64(len(data)) > c.opts.MaxValueBytes {
		return nil, false, fmt.Errorf("%w: %d bytes of key %s, and MaxValueBytes is %d", ErrTooLarge, len(data), quoteKey(key), c.opts.MaxValueBytes)
	}
	if err := checkMeta(&item.meta); err != nil {
		return nil, false, err
	}
	ttl := item.meta.TTL
	if ttl == 0 {
		ttl = c.opts.TTL
	}
	v = &storeValue{
		Data: data, Began: began, Owner: c.m.cfg.ID,
		ETag: item.meta.ETag, Version: item.meta.Version, Tags: item.meta.Tags,
	}
	if !c.coder.plain {
		v.Cost = 2 * int64(len(data)) // the encoded form for others, and the decoded one for here
	}
	v.SetDecoded(item.value)
	if item.meta.NoStore || ttl < 0 {
		v.Expires, v.Until = began, began
		return v, false, nil
	}
	v.Expires = c.expiry(began, ttl)
	v.Until = v.Expires
	return v, true, nil
}

// Bounds of what travels beside a value.
const (
	mostTags  = 256
	mostTag   = 1024    // bytes
	mostETags = 4 << 10 // bytes
)

func checkMeta(item *loader.Item[struct{}]) error {
	if len(item.Tags) > mostTags {
		return fmt.Errorf("the loader gave %d tags, and an item takes %d", len(item.Tags), mostTags)
	}
	for _, tag := range item.Tags {
		if tag == "" || len(tag) > mostTag {
			return fmt.Errorf("the loader gave a tag of %d bytes: it must have 1 to %d", len(tag), mostTag)
		}
	}
	if len(item.ETag) > mostETags {
		return fmt.Errorf("the loader gave an ETag of %d bytes, and an item takes %d", len(item.ETag), mostETags)
	}
	return nil
}

// expiry is when what began at began ends, jitter taken off.
func (c *core) expiry(began int64, ttl time.Duration) int64 {
	if ttl != NoExpiry {
		ttl -= time.Duration(float64(ttl) * c.opts.Jitter * rand.Float64())
	}
	return later(began, ttl)
}

// keepOwn keeps what a flight of this member as owner has found: as owned while the
// view says so, else as a replica.
func (c *core) keepOwn(fill *store.Fill, key string, v *storeValue, now int64) bool {
	vw := c.m.host.current(now)
	if !vw.Joined {
		fill.End()
		return false
	}
	if vw.share(c.name).owners.Owner(key) != c.m.cfg.ID {
		v.Replica = true
		v.Until = min(v.Until, later(now, c.opts.ReplicaTTL))
	}
	v.View.Store(vw.Number)
	return fill.Keep(v, now)
}

// received makes a value of an answer. The whole round trip, less what the
// answerer says it spent, is taken off its life.
func (c *core) received(r reply, now int64) *storeValue {
	res := &r.result
	v := &storeValue{
		Data:    r.data,
		Began:   now - int64(fromMicros(res.Age)) - int64(r.trip),
		Expires: forever,
		Owner:   r.from,
		ETag:    res.ETag, Version: res.Version, Tags: res.Tags,
	}
	if life := fromMicros(res.Life); life != NoExpiry {
		v.Expires = now + int64(life) - int64(r.trip)
	}
	v.Until = v.Expires
	if !c.coder.plain {
		v.Cost = 2 * int64(len(r.data))
	}
	return v
}
