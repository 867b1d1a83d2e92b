package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// story is what was done while the readers read.
type story struct {
	diedAt      atomic.Int64 // on the demo's clock; 0: nobody has died. Readers look at it
	victim      string
	orphans     map[string]bool // keys in memory that the victim owned when it died
	newcomer    string
	invalidated map[string]int // how often each key was invalidated while it had been loaded
	reading     time.Duration  // how long readers read
}

// play lets the readers read and does the acts, at fixed shares of the duration.
func (d *demo) play(ctx context.Context) error {
	d.story.invalidated = map[string]int{}
	d.say("%s in %s, a NATS server, %d members, %s, an origin that takes %v\n",
		counted(len(d.files.keys), "file"), d.cfg.dir, demoMembers, counted(d.cfg.readers, "reader"), d.cfg.latency)
	stop := make(chan struct{})
	var readers, progress sync.WaitGroup
	for i := range d.cfg.readers {
		t := &tally{}
		d.tallies = append(d.tallies, t)
		readers.Go(func() { d.read(stop, i, t) })
	}
	began := d.origin.now()
	progress.Go(func() { d.progress(stop, began) })
	err := d.acts(ctx, began)
	d.story.reading = d.origin.now() - began
	close(stop)
	readers.Wait() // each read is bounded
	progress.Wait()
	return err
}

func (d *demo) acts(ctx context.Context, began time.Duration) error {
	at := func(share float64) error {
		return d.until(ctx, func() bool {
			return d.origin.now()-began >= time.Duration(share*float64(d.cfg.duration))
		})
	}
	popular := d.files.keys[0]
	if err := at(0.25); err != nil {
		return err
	}
	if err := d.invalidate(ctx, d.members[0], popular, began); err != nil {
		return err
	}
	if err := at(0.45); err != nil {
		return err
	}
	d.killOwner(popular, began)
	if err := at(0.7); err != nil {
		return err
	}
	if err := d.joinOne(ctx, began); err != nil {
		return err
	}
	if err := at(0.85); err != nil {
		return err
	}
	if err := d.invalidate(ctx, d.members[demoMembers], popular, began); err != nil {
		return err
	}
	return at(1)
}

// invalidate makes the mesh forget a file, from m.
func (d *demo) invalidate(ctx context.Context, m *demoMember, key string, began time.Duration) error {
	if d.origin.loaded()[key] > 0 {
		d.story.invalidated[key]++
	}
	called := d.origin.now()
	if err := m.cache.Invalidate(ctx, key); err != nil {
		return fmt.Errorf("invalidate %q: %w", key, err)
	}
	took := d.origin.now() - called
	d.floors.raise(key, called)
	d.act(began, "%s invalidated %s, the most popular file: confirmed by all in %s", m.id, shortened(key), brief(took))
	return nil
}

// killOwner kills the owner of a file, having noted whose keys lose their owner.
func (d *demo) killOwner(key string, began time.Duration) {
	owner := d.members[0].node.Mesh().Owner(demoCache, key)
	victim := d.members[max(0, slices.IndexFunc(d.members, func(m *demoMember) bool { return m.id == owner }))]
	d.story.victim, d.story.orphans = victim.id, map[string]bool{}
	for key := range d.origin.loaded() {
		if victim.node.Mesh().Owner(demoCache, key) == victim.id {
			d.story.orphans[key] = true
		}
	}
	d.story.diedAt.Store(int64(d.origin.now()))
	d.kill(victim)
	d.act(began, "%s killed without warning: it owned that file and %s more", victim.id, grouped(max(0, len(d.story.orphans)-1)))
}

// joinOne lets a new member join.
func (d *demo) joinOne(ctx context.Context, began time.Duration) error {
	called := d.origin.now()
	m, err := d.join(ctx)
	if err != nil {
		return err
	}
	took := d.origin.now() - called
	d.story.newcomer = m.id
	// It owns its share once the others have confirmed that it serves the cache.
	owned := func() (n int) {
		for key := range d.origin.loaded() {
			if m.node.Mesh().Owner(demoCache, key) == m.id {
				n++
			}
		}
		return n
	}
	bounded, cancel := context.WithTimeout(ctx, demoLease)
	defer cancel()
	_ = d.until(bounded, func() bool { return owned() > 0 }) // with few files its share may be none
	d.act(began, "%s joined in %s: it owns %s now", m.id, brief(took), counted(owned(), "file"))
	return nil
}

// progress prints a line a second until stop is closed.
func (d *demo) progress(stop <-chan struct{}, began time.Duration) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	last, lastAt := progressCounts{}, began
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		now, at := d.counts(), d.origin.now()
		rate := float64(now.reads-last.reads) / (at - lastAt).Seconds()
		d.act(began, "%s reads/s, %s to the origin, %s failed",
			grouped(int(rate)), grouped(now.loads-last.loads), grouped(now.errors-last.errors))
		last, lastAt = now, at
	}
}

type progressCounts struct{ reads, loads, errors int }

func (d *demo) counts() progressCounts {
	c := progressCounts{loads: int(d.origin.loads.Load())}
	for _, t := range d.tallies {
		t.mu.Lock()
		for i := range t.bySource {
			c.reads += int(t.bySource[i].n)
		}
		c.errors += t.errors
		t.mu.Unlock()
	}
	return c
}

// shortened is a key that fits a line.
func shortened(key string) string {
	const most = 48
	if runes := []rune(key); len(runes) > most {
		return "..." + string(runes[len(runes)-most:])
	}
	return key
}

// act prints a line with the time since the readers began.
func (d *demo) act(began time.Duration, format string, a ...any) {
	d.say("%5.1fs  %s\n", (d.origin.now() - began).Seconds(), fmt.Sprintf(format, a...))
}

func (d *demo) say(format string, a ...any) {
	d.outMu.Lock()
	defer d.outMu.Unlock()
	if _, err := fmt.Fprintf(d.out, format, a...); err != nil && d.outErr == nil {
		d.outErr = err
	}
}
