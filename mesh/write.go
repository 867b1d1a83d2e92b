package mesh

import (
	"context"
	"fmt"
	"slices"

	"github.com/cachemesh/cachemesh/internal/roster"
)

// invalidate applies the targets here, tells all members, and waits until
// everyone who is waited for has confirmed, or ctx is done (rule R2). step, if not
// nil, applies them at home: what it does before and after comes between nothing else.
func (m *Mesh) invalidate(ctx context.Context, targets []roster.Target, step func(apply func())) error {
	if ctx == nil {
		return errNilContext
	}
	if err := m.alive(); err != nil {
		return err
	}
	m.stats.invalidations.Add(uint64(len(targets)))
	var op uint64
	confirmed := make(chan []string, 1)
	h := m.host
	h.mu.Lock()
	var e roster.Effects
	apply := func() {
		op, e = h.roster.Invalidate(m.clock.now(), targets)
		h.carryOut(e)
	}
	if step != nil {
		step(apply)
	} else {
		apply()
	}
	done := slices.Contains(e.Done, op)
	if !done {
		h.ops[op] = confirmed
	}
	h.mu.Unlock()
	h.tell(e)
	if done {
		return nil
	}
	var cause error
	select {
	case missing, parted := <-confirmed:
		return partedFrom(missing, parted)
	case <-ctx.Done():
		cause = context.Cause(ctx)
	case <-m.done:
		cause = ErrClosed
	}
	h.mu.Lock()
	delete(h.ops, op)
	missing := h.roster.Missing(m.clock.now(), op)
	quorum := m.cfg.Quorum > 0 && h.roster.Pending(op) // it may wait for a quorum alone
	h.roster.Forget(op)
	h.mu.Unlock()
	select {
	case missing, parted := <-confirmed: // at the last moment
		return partedFrom(missing, parted)
	default:
	}
	if len(missing) == 0 && cause != ErrClosed && !quorum {
		return nil
	}
	return &PartialError{Members: missing, cause: cause}
}

// partedFrom is the error of an invalidation that nobody waits for any more: none, unless this
// member has been parted from those who have yet to confirm it.
func partedFrom(missing []string, parted bool) error {
	if !parted {
		return nil
	}
	return &PartialError{Members: missing, cause: ErrIDTaken}
}

// set invalidates key and keeps item in its place: at home from the step that
// applies the invalidation there, then at the owner, which pulls it (rule R8).
func (c *core) set(ctx context.Context, key string, item loadedItem) error {
	if len(key) == 0 || len(key) > maxKey {
		return badKey(key)
	}
	if ctx == nil {
		return errNilContext
	}
	c.blank.use()
	since := c.store.Begin(key) // what is invalidated from here on overtakes this value
	defer since.End()
	now := c.m.clock.now()
	v, keep, err := c.fromItem(key, item, now)
	if err != nil {
		return fmt.Errorf("mesh: set %s in cache %s: %w", quoteKey(key), c.name, err)
	}
	if _, err := c.ready(ctx); err != nil && c.m.closed.Load() {
		return err
	}
	if newer, err := c.holdsNewer(ctx, key, v.Version()); newer || err != nil {
		if newer {
			c.stats.olderVersions.Add(1)
		}
		return err
	}
	target := c.target(key)
	if !keep || v.Until <= v.Began {
		return c.m.invalidate(ctx, []roster.Target{target}, nil)
	}
	c.stats.sets.Add(1)
	v.View.Store(c.m.host.view.Load().Number)
	kept := v
	keep = false
	err = c.m.invalidate(ctx, []roster.Target{target}, func(apply func()) {
		keep = !since.VoidFor(v.Tags()) && !c.m.host.fenced(c.m.clock.now())
		apply()
		if !keep {
			return
		}
		c.offers.put(key, v)
		fill := c.store.Begin(key)
		if owner := c.share(c.m.host.view.Load()).owners.Owner(key); owner != c.m.cfg.ID {
			kept = copyValue(v)
			kept.Owner = owner
			c.makeReplica(kept, now)
		}
		fill.Keep(kept, now)
	})
	if keep {
		c.settle(ctx, key, v, kept)
	}
	return err
}

// holdsNewer reports whether the owner of key holds a newer version: an older one
// never replaces it.
func (c *core) holdsNewer(ctx context.Context, key string, version uint64) (bool, error) {
	if version == 0 {
		return false, nil
	}
	if v := c.store.Peek(key); v != nil && v.Version() > version && !c.m.host.fenced(c.m.clock.now()) {
		return true, nil
	}
	if _, err := c.ready(ctx); err != nil {
		return false, err
	}
	if c.m.host.fenced(c.m.clock.now()) { // it asks nobody, and nothing will be kept
		return false, nil
	}
	out, err := c.startCached(key, &readOptions{}).wait(ctx)
	if err != nil { // nothing is held, or nobody can say: a done context is for the invalidation to tell
		return false, nil
	}
	return out.value.Version() > version, nil
}

// invalidateKeys is Invalidate without its type.
func (c *core) invalidateKeys(ctx context.Context, keys []string) error {
	targets := make([]roster.Target, 0, len(keys))
	for _, key := range keys {
		if len(key) == 0 || len(key) > maxKey {
			return badKey(key)
		}
		targets = append(targets, c.target(key))
	}
	if len(targets) == 0 {
		return nil
	}
	return c.m.invalidate(ctx, targets, nil)
}

// invalidateTags is InvalidateTags without its type.
func (c *core) invalidateTags(ctx context.Context, tags []string) error {
	targets := make([]roster.Target, 0, len(tags))
	for _, tag := range tags {
		if tag == "" || len(tag) > mostTag {
			return fmt.Errorf("mesh: a tag has %d bytes, and must have 1 to %d", len(tag), mostTag)
		}
		targets = append(targets, roster.Target{Cache: c.name, Kind: roster.ByTag, Key: tag})
	}
	if len(targets) == 0 {
		return nil
	}
	return c.m.invalidate(ctx, targets, nil)
}

func (c *core) clear(ctx context.Context) error {
	err := c.m.invalidate(ctx, []roster.Target{{Cache: c.name, Kind: roster.All}}, nil)
	if err == nil {
		c.store.Sweep() // who clears finds the memory given back here
	}
	return err
}

func tooLarge(size int64, key string, most int64) string {
	return fmt.Sprintf("%d bytes of key %s, and MaxValueBytes is %d", size, quoteKey(key), most)
}

// target is what an invalidation of key names. A key that is too long for a
// message of this NATS cannot be named to others: all of the cache is, instead.
func (c *core) target(key string) roster.Target {
	const room = 256
	if len(key) > c.m.maxMessage()-room {
		return roster.Target{Cache: c.name, Kind: roster.All}
	}
	return roster.Target{Cache: c.name, Kind: roster.ByKey, Key: key}
}
