package mesh

import "context"

// readResult is what one key of a batch came to.
type readResult struct {
	out outcome
	err error
}

// readMany answers from memory what it can, starts or joins the flights of all
// other keys, and only then waits: questions to one owner travel together.
func (c *core) readMany(ctx context.Context, keys []string, o readOptions) map[string]readResult {
	if obs := c.opts.Observer; obs != nil {
		o.trace = boundTrace(obs.Trace(ctx))
		began := c.m.clock.now()
		results := c.readAll(ctx, keys, o)
		for key, r := range results {
			c.tellRead(ctx, key, r.out, r.err, began)
		}
		return results
	}
	return c.readAll(ctx, keys, o)
}

func (c *core) readAll(ctx context.Context, keys []string, o readOptions) map[string]readResult {
	results := make(map[string]readResult, len(keys))
	o.began = c.m.clock.now()
	var misses []string
	near := 0 // keys of which what is held has been brought near
	for i, key := range keys {
		if i == near && len(keys) > 1 {
			near += c.bring(keys[i:])
		}
		if _, twice := results[key]; twice {
			continue
		}
		if len(key) == 0 || len(key) > maxKey {
			results[key] = readResult{err: badKey(key)}
			continue
		}
		if now := c.m.clock.now(); !c.m.host.asleep(now) && !c.m.host.fenced(now) {
			one := o
			if out, ok := c.recall(key, &one, now); ok {
				results[key] = readResult{out, c.absent(key, out)}
				continue
			}
			o.isolated = one.isolated
		}
		c.stats.at(key).misses.Add(1)
		results[key] = readResult{}
		misses = append(misses, key)
	}
	if len(misses) == 0 {
		return results
	}
	with := c.m.callers.enter()
	defer c.m.callers.leave(with)
	fail := func(keys []string, err error) map[string]readResult {
		for _, key := range keys {
			results[key] = readResult{err: err}
		}
		return results
	}
	if ctx == nil {
		return fail(misses, errNilContext)
	}
	if err := c.m.awakeIfStopped(ctx); err != nil {
		return fail(misses, err)
	}
	if _, err := c.ready(ctx); err != nil {
		return fail(misses, err)
	}
	c.fence(&o, len(misses))
	if o.cachedOnly {
		asked := make([]*cachedCall, len(misses))
		for i, key := range misses {
			asked[i] = c.startCached(key, &o)
		}
		for i, q := range asked {
			out, err := q.wait(ctx)
			results[misses[i]] = readResult{out, err}
		}
		return results
	}
	c.settleMany(ctx, misses, o, results)
	return results
}

// settleMany waits for the flights of keys, as miss does for that of one: what has to be read
// again is read again together.
func (c *core) settleMany(ctx context.Context, keys []string, o readOptions, results map[string]readResult) {
	for try := 0; len(keys) > 0; try++ {
		flights := make([]*flight, len(keys))
		together := &gathering{}
		c.batch.hold()
		var err error
		for i, key := range keys {
			if err == nil { // one that finds nobody to ask has waited for all
				one := o
				one.held = c.store.Peek(key)
				flights[i], err = c.join(ctx, key, &one, c.m.clock.now(), together)
			}
			if err != nil {
				results[key] = readResult{err: err}
			}
		}
		c.batch.release()
		together.send()
		var later []string
		tooOld := false
		for i, key := range keys {
			if flights[i] == nil {
				continue
			}
			out, again, err := c.settleRead(ctx, flights[i], &o)
			if again && try < tries {
				later = append(later, key)
				tooOld = tooOld || err == nil
				continue
			}
			results[key] = readResult{out, err}
		}
		keys = later
		o.fresh = o.fresh || tooOld && try > 0
	}
}

// gathering holds back the questions of one batch of reads until all are known, so
// that those to one owner travel in one message. A nil gathering holds nothing back.
type gathering struct{ calls map[*link][]*call }

func (g *gathering) ask(l *link, k *call, now int64) {
	if g == nil {
		l.askOne(now, k)
		return
	}
	if g.calls == nil {
		g.calls = map[*link][]*call{}
	}
	g.calls[l] = append(g.calls[l], k)
}

func (g *gathering) send() {
	for l, calls := range g.calls {
		l.ask(calls...)
	}
}

// awakeIfStopped is awake for a member that finds itself to have been stopped.
func (m *Mesh) awakeIfStopped(ctx context.Context) error {
	if !m.host.asleep(m.clock.now()) {
		return nil
	}
	return m.awake(ctx)
}
