package mesh

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"

	"github.com/cachemesh/cachemesh/internal/roster"
	"github.com/cachemesh/cachemesh/internal/wire"
	"github.com/cachemesh/cachemesh/loader"
)

// Cache is this member's face of one cache of the mesh. Its methods may be
// called by many goroutines at once. Values that it returns are shared: callers
// read them and do not change them.
type Cache[V any] struct {
	c *core
}

// NewCache opens the cache of that name on this member. Members that open it share its
// keys; all of them use the same V, codec and origin. It returns at once; reads
// wait until the others know of it, a round trip. from loads what nobody
// holds; it may be nil on a Reader alone.
//
// The member that has loaded a value answers with the loader's own V, the others with what the
// codec makes of its bytes: what the codec leaves out, such as unexported fields, is not there
// for them. Empty bytes are never nil.
//
// It returns an error that names the field if opts make no sense, one if the default codec cannot
// encode and decode a V or the cache is open on this member already, and ErrClosed after Leave.
func NewCache[V any](m *Mesh, name string, from loader.Loader[V], opts Options) (*Cache[V], error) {
	if m == nil {
		return nil, errors.New("mesh: NewCache needs a mesh, not nil")
	}
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	if !wire.ValidToken(name) {
		return nil, fmt.Errorf("mesh: the cache's name is %q: it must be 1 to 64 of A-Z a-z 0-9 _ -", name)
	}
	if isNil(from) && !m.cfg.Reader {
		return nil, fmt.Errorf("mesh: cache %s needs a loader: only a Reader's may be nil", name)
	}
	coder := newCoder[V](opts.Codec)
	if opts.Codec == nil {
		if err := encodable[V](coder); err != nil {
			return nil, fmt.Errorf("mesh: cache %s: its values need a Codec of their own: %w", name, err)
		}
	}
	c, err := newCore(m, name, opts, coder)
	if err != nil {
		return nil, fmt.Errorf("mesh: cache %s: %w", name, err)
	}
	if !m.cfg.Reader {
		c.loader = erase(c, from)
	}
	if err := m.open(c); err != nil {
		c.store.Close()
		return nil, err
	}
	return &Cache[V]{c}, nil
}

// encodable is nil if the default codec can take a V to other members.
func encodable[V any](c coder) error {
	if t := reflect.TypeFor[V](); t.Kind() == reflect.Interface && t.NumMethod() > 0 {
		return fmt.Errorf("mesh: nobody could tell which type to decode an interface such as %v into", t)
	}
	var zero V
	_, err := c.encode(zero)
	return err
}

// isNil sees a nil in an interface too: a nil Func is no loader.
func isNil(v any) bool {
	if v == nil {
		return true
	}
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Func, reflect.Pointer, reflect.Map, reflect.Slice, reflect.Chan, reflect.Interface:
		return r.IsNil()
	}
	return false
}

// open adds a cache to the mesh and announces it.
func (m *Mesh) open(c *core) error {
	if err := m.alive(); err != nil { // without the lock: it may end the mesh
		return err
	}
	m.openMu.Lock()
	defer m.openMu.Unlock()
	if m.closed.Load() {
		return ErrClosed
	}
	old := *m.caches.Load()
	if old[c.name] != nil {
		return fmt.Errorf("mesh: cache %s is open already on this member", c.name)
	}
	caches := maps.Clone(old)
	caches[c.name] = c
	m.caches.Store(&caches)
	if err := m.tend(c); err != nil {
		m.caches.Store(&old)
		return fmt.Errorf("mesh: open cache %s: %w", c.name, err)
	}
	m.host.step(func(r *roster.Roster, now int64) roster.Effects { return r.Open(now, c.name, c.opts.life()) })
	return nil
}

// Close gives up this member's share of the cache. Other members go on with
// it. It does not hand values over: Leave does. Reads under way here end with ErrClosed, and their loads are
// cancelled, but for reads of what has been invalidated since they began: they end with their loads. Who
// asked from elsewhere asks another member. A second Close returns nil.
func (c *Cache[V]) Close() error {
	core := c.c
	if core.shut.Swap(true) {
		return nil
	}
	m := core.m
	m.openMu.Lock()
	if old := *m.caches.Load(); old[core.name] == core {
		caches := maps.Clone(old)
		delete(caches, core.name)
		m.caches.Store(&caches)
		within(announceBound, func() { m.closeGateway(core) })
		m.host.step(func(r *roster.Roster, now int64) roster.Effects { return r.Close(now, core.name) })
	}
	m.openMu.Unlock()
	core.close()
	return nil
}

// alive is nil, or ErrClosed.
func (c *Cache[V]) alive() error {
	if c.c.shut.Load() {
		return ErrClosed
	}
	return nil
}

// Get returns the value of key: from memory here, or from its owner, which loads it
// if need be. The wait ends with ctx; what others wait for goes on. Bytes and strings are
// shared with other readers, and nobody may change them; what another member has sent
// may be a part of a message of some 32 KiB, so clone what is small and kept for long.
//
// Errors: *LoadError with the origin's error, where errors.Is(err, ErrNotFound)
// says that there is no such key; ErrBadKey, ErrTooLarge, ErrOverloaded, ErrNoOwner,
// ErrNotCached, ErrClosed, ctx's, or the codec's where it cannot decode the bytes of another
// member. What was handed over to this member and cannot be decoded is loaded anew.
func (c *Cache[V]) Get(ctx context.Context, key string, opts ...ReadOption) (V, error) {
	var zero V
	if err := c.alive(); err != nil {
		return zero, err
	}
	var o readOptions
	if len(opts) == 0 {
		v, rest := c.c.quick(ctx, key)
		if v != nil {
			value, err := decoded[V](c.c, v)
			if err != nil {
				e, err := c.again(ctx, key, nil, v, err)
				return e.Value, err
			}
			return value, nil
		}
		o = rest
	} else {
		o = collect(opts)
	}
	out, err := c.c.get(ctx, key, &o)
	if err != nil {
		return zero, err
	}
	defer out.done()
	value, err := decoded[V](c.c, out.value)
	if err != nil {
		e, err := c.again(ctx, key, opts, out.value, err)
		return e.Value, err
	}
	return value, nil
}

// Lookup is Get, with what is known of the value.
func (c *Cache[V]) Lookup(ctx context.Context, key string, opts ...ReadOption) (Entry[V], error) {
	if err := c.alive(); err != nil {
		return Entry[V]{}, err
	}
	var o readOptions
	if len(opts) == 0 {
		v, rest := c.c.quick(ctx, key)
		if v != nil {
			e, err := entryOf[V](c.c, key, outcome{value: v, source: sourceOf(v)}, rest.began)
			if err != nil {
				return c.again(ctx, key, nil, v, err)
			}
			return e, nil
		}
		o = rest
	} else {
		o = collect(opts)
	}
	out, err := c.c.get(ctx, key, &o)
	if err != nil {
		return Entry[V]{}, err
	}
	defer out.done()
	e, err := entryOf[V](c.c, key, out, c.c.m.clock.now())
	if err != nil {
		return c.again(ctx, key, opts, out.value, err)
	}
	return e, nil
}

// entryOf is what a caller at now is told of out.
func entryOf[V any](c *core, key string, out outcome, now int64) (Entry[V], error) {
	v := out.value
	value, err := decoded[V](c, v)
	if err != nil {
		return Entry[V]{}, err
	}
	return Entry[V]{
		Key: key, Value: value, Source: out.source, Owner: v.Owner,
		Age: max(0, left(now, v.Began)), TTL: left(v.Expires, now), Stale: out.stale(now),
		ETag: v.ETag(), Version: v.Version(), Tags: v.Tags(),
	}, nil
}

// GetMany returns the values of keys. Questions to one owner travel in one
// message. A key that the origin does not have is absent from the map. When other keys fail,
// the map holds those that did not, and the error is a *KeysError with an error for each
// that did.
func (c *Cache[V]) GetMany(ctx context.Context, keys []string, opts ...ReadOption) (map[string]V, error) {
	if err := c.alive(); err != nil {
		return nil, err
	}
	out := make(map[string]V, len(keys))
	errs := map[string]error{}
	for key, r := range c.c.readMany(ctx, keys, collect(opts)) {
		err := r.err
		if err == nil {
			var v V
			if v, err = decoded[V](c.c, r.out.value); err == nil {
				out[key] = v
				continue
			}
			var e Entry[V]
			if e, err = c.again(ctx, key, opts, r.out.value, err); err == nil {
				out[key] = e.Value
				continue
			}
		}
		if !errors.Is(err, ErrNotFound) {
			errs[key] = err
		}
	}
	if len(errs) > 0 {
		return out, &KeysError{Errs: errs}
	}
	return out, nil
}

// Set keeps a value that the origin already has, and so saves its load. It makes
// Invalidate's promise for the value before it, and returns its errors; keeping the
// value is best effort. Of Sets in order the last stands; of concurrent ones any one, or none.
// Where the item has a Version lower than that of the value held, Set does nothing and returns nil.
func (c *Cache[V]) Set(ctx context.Context, key string, item loader.Item[V]) error {
	if err := c.alive(); err != nil {
		return err
	}
	return c.c.observeInvalidate(ctx, InvalidateEvent{Keys: []string{key}}, func() error { return c.c.set(ctx, key, forgetType(item)) })
}

// Invalidate drops the values of keys on every member, and detaches the loads of
// them that are under way. When it returns nil, no Get that begins afterwards, on any
// member that this one counts, returns a value whose load began before the call.
// When ctx is done before every member has confirmed, it returns a
// *PartialError that lists those who have not; for all others the promise holds, and for
// this member in any case.
func (c *Cache[V]) Invalidate(ctx context.Context, keys ...string) error {
	if err := c.alive(); err != nil {
		return err
	}
	return c.c.observeInvalidate(ctx, InvalidateEvent{Keys: keys}, func() error { return c.c.invalidateKeys(ctx, keys) })
}

// InvalidateTags drops, on every member, the values whose item carries one of tags. It is Invalidate
// in all else, for loads under way too: what tags they will carry nobody knows yet, so that whoever
// asks while they go on does not join them, whatever key it is, but waits for a load that began
// later; what they bring is kept unless it carries one of tags. Its cost does not depend on how many values there are. A tag has 1 to 1,024 bytes.
func (c *Cache[V]) InvalidateTags(ctx context.Context, tags ...string) error {
	if err := c.alive(); err != nil {
		return err
	}
	return c.c.observeInvalidate(ctx, InvalidateEvent{Tags: tags}, func() error { return c.c.invalidateTags(ctx, tags) })
}

// Clear drops all values of the cache on every member, under Invalidate's promise.
func (c *Cache[V]) Clear(ctx context.Context) error {
	if err := c.alive(); err != nil {
		return err
	}
	return c.c.observeInvalidate(ctx, InvalidateEvent{All: true}, func() error { return c.c.clear(ctx) })
}

// Stats is a snapshot of what this member has done for the cache.
func (c *Cache[V]) Stats() CacheStats { return c.c.snapshot() }

// collect allocates nothing where there are no options.
func collect(opts []ReadOption) readOptions {
	if len(opts) == 0 {
		return readOptions{}
	}
	return collectSome(opts)
}

func collectSome(opts []ReadOption) (o readOptions) {
	for _, opt := range opts {
		if opt.apply != nil {
			opt.apply(&o)
		}
	}
	return o
}

// decoded is the value's V, decoded once per member.
func decoded[V any](c *core, v *storeValue) (V, error) {
	if c.coder.plain { // the bytes are the value
		var value V
		switch p := any(&value).(type) {
		case *[]byte:
			if *p = v.Data; v.Data == nil { // a part of a message is not: all members answer alike
				*p = []byte{}
			}
		case *string:
			*p = stringOf(v.Data)
		}
		return value, nil
	}
	if d, ok := v.Decoded(); ok {
		value, _ := d.(V) // a nil interface V comes out as its zero
		return value, nil
	}
	d, err := c.coder.decode(v.Data)
	if err != nil {
		var zero V
		return zero, err
	}
	v.SetDecoded(d)
	value, _ := d.(V)
	return value, nil
}
