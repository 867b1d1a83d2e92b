package mesh

import (
	"context"
	"time"
)

// An owned value lives in four stages: fresh; past Refresh, where a read starts
// the load that renews it; stale, past its TTL, where it is answered at once while a load
// renews it, or when the load fails; gone.

// stands reports whether v, which memory holds, answers a read at now as it is.
func (c *core) stands(v *storeValue, now int64) bool {
	switch {
	case now < v.Expires:
		return true
	case v.Replica || v.NotFound:
		return false
	case now < later(v.Expires, c.opts.StaleWhileRevalidate):
		return true
	}
	// The last load has failed a moment ago: the origin is left alone.
	return now < later(v.Expires, c.opts.StaleIfError) && failed(v, now)
}

// renewal is what a value's Renewal holds: until when no other load is to renew it, for one
// is under way, or has failed.
func renewal(until int64, failed bool) int64 {
	word := min(until, forever>>1) << 1
	if failed {
		word |= 1
	}
	return word
}

// failed reports whether the load that was to renew v has failed a moment ago.
func failed(v *storeValue, now int64) bool {
	last := v.Renewal.Load()
	return last&1 != 0 && now < last>>1
}

// renew starts the load that renews v behind the reads of it, unless one is under
// way or has failed a moment ago. It is a flight like any other: an invalidation detaches it.
func (c *core) renew(key string, v *storeValue, now int64, trace string) {
	if v.Replica || v.NotFound || c.loader.one == nil {
		return
	}
	last := v.Renewal.Load()
	if now < last>>1 || !v.Renewal.CompareAndSwap(last, renewal(later(now, c.opts.LoadTimeout), false)) {
		return
	}
	f, lead := c.owns.Join(key)
	f.Pin()   // another's, too, who may leave
	f.Leave() // before the load begins: nobody waits for it
	if lead {
		c.stats.refreshes.Add(1)
		c.startLoad(f, c.store.Begin(key), trace)
	}
}

// fallback is the stale value that a read of key may be answered with once it has
// waited for SoftTimeout; nil if there is none.
func (c *core) fallback(key string, o *readOptions) *storeValue {
	if c.opts.SoftTimeout <= 0 || o.fresh || o.maxAge > 0 || o.isolated {
		return nil
	}
	now := c.m.clock.now()
	v := c.store.Get(key, now)
	if v == nil || v.Replica || v.NotFound || now < v.Expires || now >= later(v.Expires, c.opts.StaleIfError) {
		return nil
	}
	return v
}

// waitSoftly waits for f until SoftTimeout after the read began, then answers with
// old while f goes on. again: old has been dropped meanwhile, and the read must begin anew.
func (c *core) waitSoftly(ctx context.Context, f *flight, old *storeValue, began int64) (out outcome, again bool, err error) {
	f.Pin()
	dropped := c.watchDrops(f.Key(), old)
	soft, cancel := context.WithTimeout(ctx, c.opts.SoftTimeout-left(c.m.clock.now(), began))
	defer cancel()
	out, err = f.Wait(soft)
	if gone := dropped(); err == nil || soft.Err() == nil || ctx.Err() != nil || isLanded(err) {
		return out, false, err
	} else if gone {
		return out, true, nil
	}
	return outcome{value: old, source: Local}, false, nil
}

// watchDrops gives what ends the watch and reports whether old has been dropped. That
// it has been replaced, by a copy from a member that held it before, is no drop.
func (c *core) watchDrops(key string, old *storeValue) (dropped func() bool) {
	fill := c.store.Begin(key)
	gone := c.store.Peek(key) != old // before the watch began
	return func() bool {
		defer fill.End()
		return gone || fill.VoidFor(old.Tags())
	}
}

// serveSoftly answers a question with old after SoftTimeout, unless f has landed
// or old has been dropped by then.
func (c *core) serveSoftly(by asker, number uint64, f *flight, old *storeValue) {
	f.Pin()
	dropped := c.watchDrops(f.Key(), old)
	id := askedID{by.id, by.inc, number}
	time.AfterFunc(c.opts.SoftTimeout, func() {
		if dropped() {
			return
		}
		if leave, under := c.m.serving.take(id); under {
			if leave != nil {
				leave()
			}
			res, data := c.resultFor(old, c.m.clock.now())
			c.send(by, number, res, data)
		}
	})
}
