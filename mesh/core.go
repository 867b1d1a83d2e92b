package mesh

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/cachemesh/cachemesh/internal/roster"
	"github.com/cachemesh/cachemesh/internal/store"
	"github.com/cachemesh/cachemesh/loader"
)

// maxKey is the longest key, in bytes.
const maxKey = 65536

type storeValue = store.Value

// core is one open cache, without its type: it handles bytes, and decoded
// values that it does not look into.
type core struct {
	m      *Mesh
	name   string
	opts   Options
	coder  coder
	loader erased // has no functions on a Reader

	store  *store.Store
	sweeps atomic.Int32 // clearings since the running sweep began, and 1; 0: none runs
	// owns are the flights in which this member acts as owner: they take over or
	// load. fetches are those that ask another member. They are apart because
	// questions of others may join the former alone: else two members could wait for
	// each other.
	owns    loader.Flights[outcome]
	fetches loader.Flights[outcome]
	seconds loader.Flights[outcome] // of hedges: each is waited for by one of fetches alone
	hedges  hedgeBudget
	slots   slots   // places for loads
	batch   batcher // gathers loads for a loader that takes many keys

	// life is the longest that a value here may live, as the mesh has been told;
	// for ever is MaxInt64.
	life atomic.Int64

	shared atomic.Pointer[sharedIn] // the last that share has found

	hints  hints
	offers offers
	queued queued
	blank  blank

	// opened is closed when the opening has been confirmed once. Until then
	// nobody can say who owns what.
	opened     chan struct{}
	openedOnce sync.Once

	stats       cacheCounters
	undecodable atomic.Bool // the log has been told of such a value
	shut        atomic.Bool // closed for callers here; questions of others may still be answered
	answering   bool        // clients outside the mesh; guarded by Mesh.openMu
	entrance    entrance    // of those clients
}

// erased is the cache's loader without its type.
type erased struct {
	one  func(ctx context.Context, key string, prev *storeValue) (loadedItem, error)
	many func(ctx context.Context, ls []*loading) (map[string]loadedItem, error) // nil: one at a time
}

// loadedItem is a loader.Item whose type has been forgotten.
type loadedItem struct {
	value any
	meta  loader.Item[struct{}] // all else of the item
}

// outcome is what a flight lands with.
type outcome struct {
	value  *storeValue
	source Source
	// cause is why value is answered although it is not what was asked for: the load
	// failed, and value is held. Who asked for a load gets the cause.
	cause error
	// at is when it came from another member, so that who has waited for it need not look
	// at the clock; 0: nobody has noted.
	at int64
	// lease is the flight in whose memory value is; nil where it stays whatever happens.
	lease *flight
}

// done is for a reader that has taken what it needs of the value.
func (out *outcome) done() {
	if out.lease != nil {
		out.lease.Done()
	}
}

// stale reports whether the value is answered from memory past its TTL at now.
func (out *outcome) stale(now int64) bool {
	return out.source != Loaded && out.source != Bypass && now >= out.value.Expires && !out.value.NotFound
}

// err is the error that a reader with the options o gets in place of the value; nil: none.
func (out *outcome) err(o *readOptions, now int64) error {
	if out.cause != nil && (o.fresh || o.isolated || o.tooOld(out.value, now)) {
		return out.cause
	}
	return nil
}

func newCore(m *Mesh, name string, o Options, cd coder) (*core, error) {
	st, err := store.New(store.Config{OwnedBytes: o.MaxBytes, ReplicaBytes: o.ReplicaBytes})
	if err != nil {
		return nil, err
	}
	c := &core{
		m: m, name: name, opts: o, coder: cd,
		store: st, slots: slots{free: o.MaxLoads, all: o.MaxLoads}, opened: make(chan struct{}),
	}
	c.batch.c = c
	c.life.Store(forever)
	if life := o.life(); life >= 0 {
		c.life.Store(int64(life))
	}
	c.hints.init()
	c.offers.init()
	c.queued.init()
	c.blank.init()
	if m.cfg.Reader {
		c.openedOnce.Do(func() { close(c.opened) }) // it owns nothing that needs confirming
	}
	return c, nil
}

// apply is rule R1: drop what t names, detach its flights. Who waits is
// answered, nothing is kept, nobody joins later.
func (c *core) apply(t roster.Target) {
	switch t.Kind {
	case roster.ByKey:
		c.owns.Detach(t.Key)
		c.fetches.Detach(t.Key)
		c.offers.drop(t.Key)
		c.store.Drop(t.Key)
	case roster.ByTag: // a flight's tags are unknown until it lands: the store checks then
		c.owns.DetachAll()
		c.fetches.DetachAll()
		c.offers.clear()
		c.store.DropTag(t.Key)
	case roster.All:
		c.dropAll()
	}
}

func (c *core) dropAll() {
	c.owns.DetachAll()
	c.fetches.DetachAll()
	c.offers.clear()
	c.store.Clear()
	c.sweep()
}

// sweep gives back the memory of what has been cleared: of much in a goroutine of its own,
// for the host's lock is held, and heartbeats wait for it.
func (c *core) sweep() {
	const few = 4096
	if st := c.store.Stats(); st.Owned.Entries+st.Replica.Entries <= few {
		c.store.Sweep()
		return
	}
	if c.sweeps.Add(1) > 1 {
		return // who sweeps sees to it
	}
	go func() {
		for n := int32(1); ; n = c.sweeps.Load() {
			c.store.Sweep()
			if c.sweeps.CompareAndSwap(n, 0) {
				return
			}
		}
	}()
}

func (c *core) viewChanged(v *view) {
	c.blank.look(v, c.name)
	if c.share(v).self {
		c.openedOnce.Do(func() { close(c.opened) })
	}
}

func (c *core) close() {
	c.shut.Store(true)
	c.openedOnce.Do(func() { close(c.opened) })
	c.owns.LandAll(outcome{}, ErrClosed)
	c.fetches.LandAll(outcome{}, ErrClosed)
	c.store.Close()
}

// sourceOf is where a reader here has v from.
func sourceOf(v *storeValue) Source {
	if v.Replica {
		return Replica
	}
	return Local
}

// sharedIn is a cache's share in a view.
type sharedIn struct {
	view  *view
	share *share
}

// share is who owns the keys of this cache in v.
func (c *core) share(v *view) *share {
	if last := c.shared.Load(); last != nil && last.view == v {
		return last.share
	}
	sh := v.share(c.name)
	c.shared.Store(&sharedIn{v, sh})
	return sh
}

// first ranks first for key in the view at now: who is asked for it. A hint
// from a new owner that asked here comes before the view, which may not show it yet.
func (c *core) first(key string, now int64) string {
	sh := c.share(c.m.host.current(now))
	if id := c.hints.get(key, now); id != "" {
		return id
	}
	return sh.owners.Owner(key)
}

// rank is first among those that are not ruled out.
func (c *core) rank(key string) roster.Rank {
	return func(without []string) string {
		set := c.share(c.m.host.current(c.m.clock.now())).owners
		if len(without) > 0 {
			set = set.Without(without...)
		}
		return set.Owner(key)
	}
}

// restamp judges anew, after a change of the view, whether this member owns what
// it holds. What it does not own goes on as a replica, for a short while. What
// it has come to own it claims.
func (c *core) restamp(key string, v *storeValue, vw *view, now int64) {
	own := c.share(vw).owners.Owner(key) == c.m.cfg.ID
	if v.Replica && own {
		c.claim(c.store.Begin(key), key, now)
		return
	}
	if !v.Replica && !own {
		d := copyValue(v)
		c.makeReplica(d, now)
		d.View.Store(vw.Number)
		c.store.Replace(key, v, d)
		return
	}
	v.View.Store(vw.Number)
}

// claim is for when this member acts as the owner of key and holds it as a
// replica: that becomes an owned value, even if its life as a replica has run
// out. Where the view still names another owner, who cannot be reached, the
// replica begins a new life. So what was loaded in the place of an owner that had
// died is loaded once. It gives what this member holds then; nil if that is
// nothing. fill has begun before memory is looked at: a drop in between voids it.
func (c *core) claim(fill *store.Fill, key string, now int64) *storeValue {
	v := c.store.Peek(key)
	vw := c.m.host.current(now)
	owner := c.share(vw).owners.Owner(key) == c.m.cfg.ID
	if v == nil || !v.Replica || now >= v.Expires && (!owner || v.NotFound || now >= later(v.Expires, c.opts.staleWindow())) {
		fill.End()
		return nil
	}
	n := copyValue(v)
	n.View.Store(vw.Number)
	if owner {
		n.Replica, n.Owner = false, c.m.cfg.ID
		c.lives(n)
	} else {
		n.Until = min(v.Expires, later(now, c.opts.ReplicaTTL))
	}
	if !fill.Keep(n, now) {
		return nil
	}
	return n
}

// makeReplica makes v, which nobody reads yet, a replica. It ends when a read of it is
// to start the load that renews it: of that read the owner has to learn.
func (c *core) makeReplica(v *storeValue, now int64) {
	v.Replica = true
	v.Until = min(v.Until, later(now, c.opts.ReplicaTTL), c.ahead(v))
	v.Refresh = forever
}

// copyValue copies what is fixed of a value, and its decoded form.
func copyValue(v *storeValue) *storeValue {
	n := &storeValue{
		Data: v.Data, Began: v.Began, Expires: v.Expires, Until: v.Until, Refresh: v.Refresh, Cost: v.Cost,
		Replica: v.Replica, NotFound: v.NotFound, Owner: v.Owner, Origin: v.Origin,
	}
	if d, ok := v.Decoded(); ok {
		n.SetDecoded(d)
	}
	return n
}
