package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// drives are what a worker can be asked to do with its system.
var drives = map[string]func(ctx context.Context, s *system, c command) (reply, error){
	"warm":       warm,
	"closed":     closedLoop,
	"spin":       spin,
	"trace":      trace,
	"herd":       herd,
	"invalidate": invalidations,
	"join":       joining,
	"profile":    profile,
	"settle": func(ctx context.Context, s *system, c command) (reply, error) {
		if s.settle == nil {
			return reply{}, nil
		}
		return reply{}, s.settle(ctx, c.Want)
	},
	"peers": func(_ context.Context, s *system, c command) (reply, error) {
		if s.peers != nil {
			s.peers(c.Peers)
		}
		return reply{}, nil
	},
	"usage": func(_ context.Context, s *system, _ command) (r reply, err error) {
		r.CPU, err = cpuOf(s)
		if s.loads != nil {
			r.Loads = s.loads()
		}
		if s.served != nil {
			r.Served = s.served()
		}
		if s.received != nil {
			r.Messages, r.Bytes = s.received()
		}
		return r, err
	},
	"heap": func(context.Context, *system, command) (reply, error) {
		return reply{Heap: liveHeap(), RSS: residentBytes()}, nil
	},
}

// check makes one get and looks at the length of what comes.
func check(ctx context.Context, s *system, key string, size int) error {
	n, err := s.get(ctx, key)
	if err != nil {
		return fmt.Errorf("get %s: %w", key, err)
	}
	if n != size {
		return fmt.Errorf("get %s: %d bytes", key, n)
	}
	return nil
}

// atOnce runs f in as many goroutines as there are callers and waits for all.
// It gives the first error.
func atOnce(callers int, f func(caller int) error) error {
	var wg sync.WaitGroup
	errs := make(chan error, max(callers, 1))
	for i := range max(callers, 1) {
		wg.Go(func() {
			if err := f(i); err != nil {
				errs <- err
			}
		})
	}
	wg.Wait()
	close(errs)
	return <-errs
}

// warm asks for each key once.
func warm(ctx context.Context, s *system, c command) (reply, error) {
	var next atomic.Int64
	err := atOnce(64, func(int) error {
		for {
			i := int(next.Add(1)) - 1
			if i >= c.Keys {
				return nil
			}
			if err := check(ctx, s, keyName(c, i), c.Size); err != nil {
				return err
			}
		}
	})
	return reply{Gets: c.Keys}, err
}

// closedLoop lets each caller get one random key after the other for a while.
// Among many callers it times one get in sixteen. Gets that fail are counted
// apart, and make neither the rate nor the times look better.
func closedLoop(ctx context.Context, s *system, c command) (reply, error) {
	names := keyNames(c)
	every := 1
	if c.Callers > 1 {
		every = 16
	}
	var mu sync.Mutex // guards all, gets, failed and why
	all := make([]time.Duration, 0, 1<<20)
	gets, failed := 0, 0
	var why string
	before := mallocs()
	began := time.Now()
	var stop atomic.Bool
	timer := time.AfterFunc(c.For, func() { stop.Store(true) })
	defer timer.Stop()
	err := atOnce(c.Callers, func(caller int) error {
		r := source(c.Seed + uint64(caller)*7919)
		took := make([]time.Duration, 0, 1<<12)
		n, bad := 0, 0
		var last error
		for i := 0; i == 0 || !stop.Load(); i++ {
			key := names[r.IntN(len(names))]
			var at time.Time
			if i%every == 0 {
				at = time.Now()
			}
			if err := check(ctx, s, key, c.Size); err != nil {
				if ctx.Err() != nil {
					return err
				}
				bad, last = bad+1, err
				continue
			}
			n++
			if i%every == 0 {
				took = append(took, time.Since(at))
			}
		}
		mu.Lock()
		defer mu.Unlock()
		gets, failed = gets+n, failed+bad
		if last != nil {
			why = last.Error()
		}
		all = append(all, took...)
		return nil
	})
	out := reply{Gets: gets, Failed: failed, Why: why, Took: time.Since(began), Mallocs: perGet(mallocs()-before, gets)}
	out.P50, out.P99 = quantiles(all)
	return out, err
}

// spin is closedLoop for hits, which take nanoseconds: it looks at the clock once
// in a while only. A get that is no hit is an error.
func spin(ctx context.Context, s *system, c command) (reply, error) {
	names := keyNames(c)
	var gets atomic.Int64
	loads := s.loads()
	before := mallocs()
	began := time.Now()
	var stop atomic.Bool
	timer := time.AfterFunc(c.For, func() { stop.Store(true) })
	defer timer.Stop()
	err := atOnce(c.Callers, func(caller int) error {
		at, n := caller*len(names)/2, 0
		for n == 0 || !stop.Load() {
			for range 256 {
				at += 7919 // a prime far from the table's size: no two gets share a cache line
				if err := check(ctx, s, names[at%len(names)], c.Size); err != nil {
					return err
				}
			}
			n += 256
		}
		gets.Add(int64(n))
		return nil
	})
	n := int(gets.Load())
	if missed := s.loads() - loads; err == nil && missed > 0 {
		err = fmt.Errorf("%d of %d gets were no hits", missed, n)
	}
	return reply{Gets: n, Took: time.Since(began), Mallocs: perGet(mallocs()-before, n)}, err
}

// trace makes a fixed number of gets in a pattern, or as many as there is time
// for; with Own, gets of others' keys are drawn and left out. It reports the loads after the first Fill gets of the first caller, and the
// most memory that the process had meanwhile.
func trace(ctx context.Context, s *system, c command) (reply, error) {
	callers := max(c.Callers, 1)
	watched := watchRSS()
	began := time.Now()
	var filled uint64
	var gets atomic.Int64
	err := atOnce(callers, func(caller int) error {
		next := patterns[c.Pattern](c.Keys, c.Seed+uint64(caller)*104729)
		for i := range c.Gets / callers {
			if c.For > 0 && i%64 == 0 && time.Since(began) > c.For {
				return nil
			}
			gets.Add(1)
			if caller == 0 && i == c.Fill {
				filled = s.loads()
			}
			key := keyName(c, next())
			if c.Own && !s.owns(key) {
				continue
			}
			if err := check(ctx, s, key, c.Size); err != nil {
				return err
			}
		}
		return nil
	})
	return reply{Gets: int(gets.Load()), Took: time.Since(began), Loads: s.loads() - filled, RSS: watched()}, err
}

// herd lets all callers get one key at the agreed moment.
func herd(ctx context.Context, s *system, c command) (reply, error) {
	key := keyName(c, 0)
	release := make(chan struct{})
	time.AfterFunc(time.Until(c.At), func() { close(release) })
	err := atOnce(c.Callers, func(int) error {
		<-release
		return check(ctx, s, key, c.Size)
	})
	return reply{Gets: c.Callers, Ended: time.Now()}, err
}

// invalidations lets each caller invalidate one key after the other for a while.
func invalidations(ctx context.Context, s *system, c command) (reply, error) {
	var mu sync.Mutex // guards all
	var all []time.Duration
	began := time.Now()
	err := atOnce(c.Callers, func(caller int) error {
		r := source(c.Seed + uint64(caller))
		var took []time.Duration
		for time.Since(began) < c.For {
			at := time.Now()
			if err := s.invalidate(ctx, keyName(c, r.IntN(c.Keys))); err != nil {
				return err
			}
			took = append(took, time.Since(at))
		}
		mu.Lock()
		defer mu.Unlock()
		all = append(all, took...)
		return nil
	})
	out := reply{Gets: len(all), Took: time.Since(began)}
	out.P50, out.P99 = quantiles(all)
	return out, err
}

// quantiles are the median and the 99th percentile; it sorts what it is given.
func quantiles(d []time.Duration) (p50, p99 time.Duration) {
	if len(d) == 0 {
		return 0, 0
	}
	slices.Sort(d)
	return d[len(d)/2], d[len(d)*99/100]
}

func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

func perGet(n uint64, gets int) float64 { return float64(n) / float64(max(gets, 1)) }
