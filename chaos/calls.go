package main

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// mostAtOnce bounds the calls under way of one kind. Calls are begun at a pace, whether the ones before have ended or
// not: a member whose owner hangs goes on asking, as the callers of a service would.
const mostAtOnce = 1024

// begin starts calls at a pace in the place of those that went before; without keys it only ends those, and returns when no
// call is under way.
func (p *memberProcess) begin(ctx context.Context, o order, running *context.CancelFunc, call func(context.Context, string, time.Duration)) {
	p.end(running)
	if len(o.Keys) == 0 {
		for p.underWay.Load() > 0 && sleep(ctx, 5*time.Millisecond) == nil {
		}
		p.sendReads()
		return
	}
	pace, cancel := context.WithCancel(ctx)
	p.mu.Lock()
	*running = cancel
	p.mu.Unlock()
	go func() {
		room := make(chan struct{}, mostAtOnce)
		tick := time.NewTicker(o.Every)
		defer tick.Stop()
		for {
			select {
			case <-pace.Done():
				return
			case <-tick.C:
			}
			select {
			case <-pace.Done():
				return
			case room <- struct{}{}:
			}
			p.underWay.Add(1)
			go func() {
				defer func() { <-room; p.underWay.Add(-1) }()
				call(ctx, o.Keys[rand.IntN(len(o.Keys))], o.Timeout) // ctx: who has begun is not cut short
			}()
		}
	}()
}

// read is one Get, and what came of it.
func (p *memberProcess) read(ctx context.Context, key string, timeout time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r := read{Key: key, Start: now()}
	r.Deadline = r.Start + timeout
	e, err := p.cache.Lookup(ctx, key)
	r.End = now()
	if err != nil {
		r.Err = err.Error()
	} else {
		r.Load, r.Source = loadOf(e.Value, key), e.Source
	}
	p.mu.Lock()
	p.reads = append(p.reads, r)
	p.mu.Unlock()
}

// invalidate is one Invalidate. The driver hears of it before it begins: the member may be killed in the middle.
func (p *memberProcess) invalidate(ctx context.Context, key string, timeout time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	p.mu.Lock()
	p.invalidations++
	i := invalidation{Number: p.invalidations, Keys: []string{key}, Start: now()}
	p.mu.Unlock()
	p.send(report{Begun: &i})
	before := p.counted()
	err := p.cache.Invalidate(ctx, key)
	i.Counted = p.counted()
	i.outcome(err)
	if i.Partial { // it lists those evicted meanwhile, too
		i.Counted = append(i.Counted, before...)
	}
	i.End = now()
	p.send(report{Ended: &i})
}

// fill reads all keys once, some at a time.
func (p *memberProcess) fill(ctx context.Context, o order) error {
	var all sync.WaitGroup
	room := make(chan struct{}, 64)
	for _, key := range o.Keys {
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			p.read(ctx, key, o.Timeout)
		})
	}
	all.Wait()
	p.sendReads()
	return nil
}

// storm invalidates for a time and tells how long each call took.
func (p *memberProcess) storm(ctx context.Context, o order) (took []time.Duration, failed int) {
	var all sync.WaitGroup
	var mu sync.Mutex // guards took and failed
	end := time.Now().Add(o.Timeout)
	for range o.N {
		all.Go(func() {
			for time.Now().Before(end) && ctx.Err() == nil {
				call, cancel := context.WithTimeout(ctx, 5*time.Second)
				begin := time.Now()
				err := p.cache.Invalidate(call, o.Keys[rand.IntN(len(o.Keys))])
				d := time.Since(begin)
				cancel()
				mu.Lock()
				took = append(took, d)
				if err != nil {
					failed++
				}
				mu.Unlock()
				if o.Every > 0 {
					_ = sleep(ctx, o.Every)
				}
			}
		})
	}
	all.Wait()
	return took, failed
}
