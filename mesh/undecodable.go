package mesh

import "context"

// again is the last try of a read of key that came to v, whose bytes this member cannot decode:
// cause says why. What it holds of v is dropped; where it owns that, nobody else would load
// it anew, and so it reads once more.
//
//go:noinline
func (c *Cache[V]) again(ctx context.Context, key string, opts []ReadOption, v *storeValue, cause error) (Entry[V], error) {
	if !c.c.dropUndecodable(key, v, cause) {
		return Entry[V]{}, cause
	}
	o := collect(opts)
	out, err := c.c.get(ctx, key, &o)
	if err != nil {
		return Entry[V]{}, err
	}
	defer out.done()
	return entryOf[V](c.c, key, out, c.c.m.clock.now())
}

// dropUndecodable drops v if it is held here, and reports whether this member owned it.
func (c *core) dropUndecodable(key string, v *storeValue, cause error) (owned bool) {
	held := c.store.Peek(key)
	if held == nil || held != v && (held.Began != v.Began || held.Owner != v.Owner) { // v may be what the held one was made of
		return false
	}
	if !c.undecodable.Swap(true) {
		c.m.log.Warn("cachemesh: a value cannot be decoded here; further ones are not told of", "cache", c.name,
			"key", key[:min(len(key), mostQuoted)], "error", cause)
	}
	c.store.Drop(key)
	return !held.Replica
}
