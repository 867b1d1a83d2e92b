package mesh

import (
	"context"
	"errors"
)

// readResult is what one key of a batch came to.
type readResult struct {
	out outcome
	err error
}

// readMany answers from memory what it can, starts or joins the flights of all
// other keys, and only then waits: questions to one owner travel together.
func (c *core) readMany(ctx context.Context, keys []string, o readOptions) map[string]readResult {
	results := make(map[string]readResult, len(keys))
	type waiting struct {
		key string
		f   *flight
	}
	var misses []string
	for _, key := range keys {
		if _, twice := results[key]; twice {
			continue
		}
		if len(key) == 0 || len(key) > maxKey {
			results[key] = readResult{err: badKey(key)}
			continue
		}
		c.stats.at(key).gets.Add(1)
		if now := c.m.clock.now(); !c.m.host.asleep(now) {
			if out, ok := c.recall(key, o, now); ok {
				results[key] = readResult{out, c.absent(key, out)}
				continue
			}
		}
		results[key] = readResult{}
		misses = append(misses, key)
	}
	if len(misses) == 0 {
		return results
	}
	fail := func(keys []string, err error) map[string]readResult {
		for _, key := range keys {
			results[key] = readResult{err: err}
		}
		return results
	}
	if err := c.m.awakeIfStopped(ctx); err != nil {
		return fail(misses, err)
	}
	if err := c.ready(ctx); err != nil {
		return fail(misses, err)
	}
	if o.cachedOnly {
		asked := make([]*cachedCall, len(misses))
		for i, key := range misses {
			asked[i] = c.startCached(key, o)
		}
		for i, q := range asked {
			out, err := q.wait(ctx)
			results[misses[i]] = readResult{out, err}
		}
		return results
	}
	var flights []waiting
	for i, key := range misses {
		f, err := c.join(ctx, key, o)
		if err != nil {
			for _, w := range flights {
				w.f.Leave()
			}
			_ = fail(misses[:i], err)
			return fail(misses[i:], err)
		}
		flights = append(flights, waiting{key, f})
	}
	for _, w := range flights {
		out, err := c.wait(ctx, w.f)
		if errors.Is(err, errNothing) {
			out, err = c.miss(ctx, w.key, o)
		}
		if err == nil {
			err = c.absent(w.key, out)
		}
		results[w.key] = readResult{out, err}
	}
	return results
}

// awakeIfStopped is awake for a member that finds itself to have been stopped.
func (m *Mesh) awakeIfStopped(ctx context.Context) error {
	if !m.host.asleep(m.clock.now()) {
		return nil
	}
	return m.awake(ctx)
}
