package mesh

import (
	"context"
	"time"
)

// Observer is told what a cache does, for people who trace or measure. Its methods are called by many
// goroutines at once, some of them with work waiting behind them: they must be quick, must not
// call the cache, and must not panic. A nil Observer costs nothing.
type Observer interface {
	// Read is told of each read that a caller here has made, when it has ended. ctx is the caller's.
	Read(ctx context.Context, e ReadEvent)
	// Load is told of a load that begins on this member. The context that it returns goes to the
	// loader; end is called when the load has ended. nil: ctx as it is, and nothing.
	Load(ctx context.Context, e LoadEvent) (_ context.Context, end func(err error))
	// Invalidate is told of an invalidation that a caller here has made, when it has ended.
	Invalidate(ctx context.Context, e InvalidateEvent)
	// Trace gives the traceparent (W3C Trace Context) of a caller's ctx, to travel with the question to
	// the owner, whose LoadEvent names it; "" for none.
	Trace(ctx context.Context) string
}

// ReadEvent is a read that has ended.
type ReadEvent struct {
	Cache  string
	Key    string
	Source Source        // 0 where Err is not nil
	Stale  bool          // the value was past its TTL
	Took   time.Duration // the caller's wait
	Err    error
}

// LoadEvent is a load that begins.
type LoadEvent struct {
	Cache      string
	Keys       []string // more than one for a BatchLoader; not to be changed
	Background bool     // nobody waits for it: it renews a value
	Trace      string   // the traceparent of the read that it was begun for, "" if unknown
}

// InvalidateEvent is an invalidation that has ended. At most one of Keys, Tags and All is set.
type InvalidateEvent struct {
	Cache string
	Keys  []string
	Tags  []string
	All   bool
	Took  time.Duration
	Err   error // *PartialError where not every member has confirmed
}

// get is read, told to the observer.
func (c *core) get(ctx context.Context, key string, o *readOptions) (outcome, error) {
	if c.opts.Observer == nil {
		return c.read(ctx, key, o)
	}
	return c.readTold(ctx, key, o)
}

// readTold is get where somebody observes.
//
//go:noinline
func (c *core) readTold(ctx context.Context, key string, o *readOptions) (outcome, error) {
	o.trace = boundTrace(c.opts.Observer.Trace(ctx))
	began := c.m.clock.now()
	out, err := c.read(ctx, key, o)
	c.tellRead(ctx, key, out, err, began)
	return out, err
}

// tellRead tells the observer of a read that has ended.
func (c *core) tellRead(ctx context.Context, key string, out outcome, err error, began int64) {
	now := c.m.clock.now()
	e := ReadEvent{Cache: c.name, Key: key, Took: time.Duration(now - began), Err: err}
	if err == nil {
		e.Source = out.source
		e.Stale = out.stale(now)
	}
	c.opts.Observer.Read(ctx, e)
}

// observeInvalidate tells the observer of what do invalidates.
func (c *core) observeInvalidate(ctx context.Context, e InvalidateEvent, do func() error) error {
	if c.opts.Observer == nil {
		return do()
	}
	began := c.m.clock.now()
	e.Cache, e.Err = c.name, do()
	e.Took = time.Duration(c.m.clock.now() - began)
	c.opts.Observer.Invalidate(ctx, e)
	return e.Err
}

// boundTrace drops what is too long to be a traceparent: its length is 55.
func boundTrace(s string) string {
	const most = 256
	if len(s) > most {
		return ""
	}
	return s
}

// tellLoad tells the observer of a load that begins. One that gives no context or end is
// as if it had not been asked for them.
func (c *core) tellLoad(ctx context.Context, e LoadEvent) (context.Context, func(error)) {
	theirs, end := c.opts.Observer.Load(ctx, e)
	if theirs != nil {
		ctx = theirs
	}
	if end == nil {
		end = func(error) {}
	}
	return ctx, end
}

func loadEvent(c *core, ls []*loading) LoadEvent {
	e := LoadEvent{Cache: c.name, Background: true}
	for _, l := range ls {
		e.Keys = append(e.Keys, l.f.Key())
		e.Background = e.Background && l.f.Pinned() && l.f.Waiters() == 0
		if e.Trace == "" {
			e.Trace = l.trace
		}
	}
	return e
}
