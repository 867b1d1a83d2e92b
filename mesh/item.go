package mesh

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/cachemesh/cachemesh/internal/roster"
	"github.com/cachemesh/cachemesh/internal/store"
	"github.com/cachemesh/cachemesh/loader"
)

// Bounds of what travels beside a value.
const (
	mostTags  = 256
	mostTag   = 1024    // bytes
	mostETags = 4 << 10 // bytes
)

// value makes a value of what the loader gave, and says whether it may be kept.
func (l *loading) value(item loadedItem) (v *storeValue, keep bool, err error) {
	c := l.c
	held := c.store.Peek(l.f.Key())
	if held == nil || held.NotFound {
		held = l.prev
	}
	switch {
	case item.meta.NotModified && l.prev == nil:
		return nil, false, errors.New("the loader says NotModified, and there was no Prev")
	case item.meta.NotModified:
		if err := checkMeta(&item.meta); err != nil {
			return nil, false, err
		}
		c.stats.notModified.Add(1)
		// What an invalidation has overtaken is not kept, whatever its tags are now.
		return c.renewed(l.prev, item, l.began), !item.meta.NoStore && !l.fill.VoidFor(l.prev.Tags()), nil
	case held != nil && item.meta.Version != 0 && item.meta.Version < held.Version() && !l.fill.VoidFor(held.Tags()):
		// The origin has answered with less than it has answered before: what is
		// held is at least as new as what a load would give now.
		c.stats.olderVersions.Add(1)
		item.meta.ETag, item.meta.Version, item.meta.Tags = "", 0, nil
		return c.renewed(held, item, l.began), !item.meta.NoStore, nil
	}
	return c.fromItem(l.f.Key(), item, l.began)
}

// renewed is v with a new life, that began with a load at began. Its bytes stay.
func (c *core) renewed(v *storeValue, item loadedItem, began int64) *storeValue {
	n := copyValue(v)
	n.Began, n.Owner, n.Replica = began, c.m.cfg.ID, false
	etag, version, tags := v.ETag(), max(v.Version(), item.meta.Version), v.Tags()
	if item.meta.ETag != "" {
		etag = item.meta.ETag
	}
	if item.meta.Tags != nil {
		tags = item.meta.Tags
	}
	n.Origin = store.OriginOf(etag, version, tags)
	c.expires(n, item.meta.TTL)
	return n
}

// fromItem makes a value of an item, and says whether it may be kept.
func (c *core) fromItem(key string, item loadedItem, began int64) (v *storeValue, keep bool, err error) {
	if item.meta.NotModified {
		return nil, false, errors.New("mesh: the item says NotModified, and nothing is held that it could mean")
	}
	data, err := c.coder.encode(item.value)
	if err != nil {
		return nil, false, err
	}
	if int64(len(data)) > c.opts.MaxValueBytes {
		return nil, false, fmt.Errorf("%w: %s", ErrTooLarge, tooLarge(int64(len(data)), key, c.opts.MaxValueBytes))
	}
	if err := checkMeta(&item.meta); err != nil {
		return nil, false, err
	}
	v = &storeValue{
		Data: data, Began: began, Owner: c.m.cfg.ID,
		Origin: store.OriginOf(item.meta.ETag, item.meta.Version, item.meta.Tags),
	}
	if !c.coder.plain {
		v.Cost = 2 * int64(len(data)) // the encoded form for others, and the decoded one for here
	}
	if !c.coder.plain {
		v.SetDecoded(item.value)
	}
	c.expires(v, item.meta.TTL)
	return v, !item.meta.NoStore, nil
}

func checkMeta(item *loader.Item[struct{}]) error {
	if len(item.Tags) > mostTags {
		return fmt.Errorf("the item has %d tags, and may have %d", len(item.Tags), mostTags)
	}
	for _, tag := range item.Tags {
		if tag == "" || len(tag) > mostTag {
			return fmt.Errorf("the item has a tag of %d bytes: it must have 1 to %d", len(tag), mostTag)
		}
	}
	if len(item.ETag) > mostETags {
		return fmt.Errorf("the item has an ETag of %d bytes, and may have one of %d", len(item.ETag), mostETags)
	}
	return nil
}

// expires gives v the life that an item's TTL asks for: 0 is the cache's,
// negative none, so that v serves as Prev alone.
func (c *core) expires(v *storeValue, ttl time.Duration) {
	switch {
	case ttl < 0:
		v.Expires, v.Until, v.Refresh = v.Began, v.Began, forever
		return
	case ttl == 0:
		ttl = c.opts.TTL
	default:
		c.lengthen(ttl)
	}
	v.Expires = c.expiry(v.Began, ttl)
	c.lives(v)
}

// lives sets until when an owned value may be answered, and from when a read of it
// starts a load behind it.
func (c *core) lives(v *storeValue) {
	v.Until = later(v.Expires, c.opts.staleWindow())
	v.Refresh = c.ahead(v)
}

// ahead is from when a read of v starts a load behind it. A replica ends then, for the
// owner has to learn that it is read.
func (c *core) ahead(v *storeValue) int64 {
	if share := c.opts.RefreshAhead; share > 0 && v.Expires != forever {
		return v.Began + int64(share*float64(v.Expires-v.Began))
	}
	return v.Expires
}

// expiry is when what began at began ends, jitter taken off.
func (c *core) expiry(began int64, ttl time.Duration) int64 {
	if ttl != NoExpiry {
		ttl -= time.Duration(float64(ttl) * c.opts.Jitter * rand.Float64())
	}
	return later(began, ttl)
}

// lengthen tells the mesh that values here may live longer than was announced,
// before one does: invalidations are remembered for that long (rule R6).
func (c *core) lengthen(ttl time.Duration) {
	life := int64(forever)
	if ttl != NoExpiry {
		life = later(int64(ttl), c.opts.staleWindow())
	}
	for {
		old := c.life.Load()
		if life <= old {
			return
		}
		if c.life.CompareAndSwap(old, life) {
			break
		}
	}
	d := time.Duration(life)
	if life == forever {
		d = -1
	}
	c.m.host.step(func(r *roster.Roster, now int64) roster.Effects { return r.Lengthen(now, c.name, d) })
}
