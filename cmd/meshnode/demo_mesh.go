package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cachemesh/cachemesh/internal/natsd"
	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/node"
)

const (
	demoMembers   = 4
	demoHeartbeat = 300 * time.Millisecond
	demoLease     = 5 * demoHeartbeat
	demoCache     = "files"
	demoMemory    = 128 << 20 // bytes of owned values per member
	demoLeaveWait = 4 * time.Second
)

// quiet is the log of what the demo starts: the demo tells the story itself.
var quiet = slog.New(slog.DiscardHandler)

// demo is one run: the members, what the readers saw and what was done to them.
type demo struct {
	cfg    demoConfig
	files  demoFiles
	origin *demoOrigin
	floors *floors

	// outMu guards out and outErr: progress and acts speak at the same time.
	outMu  sync.Mutex
	outErr error // the first that a write gave
	out    io.Writer

	nats    *natsd.Server
	members []*demoMember                 // all there ever were, in the order of joining
	live    atomic.Pointer[[]*demoMember] // those that readers use
	tallies []*tally                      // one for each reader

	story story
}

// demoMember is a member as one process would run it.
type demoMember struct {
	id    string
	node  *node.Node
	cache *mesh.Cache[[]byte]
	dead  atomic.Bool // killed: its readers died with it
}

// start starts the NATS server and the first members. The server is nobody's
// own, so that any member may be killed.
func (d *demo) start(ctx context.Context) (err error) {
	d.nats, err = natsd.Start(natsd.Config{Port: natsd.RandomPort, Logger: quiet})
	if err != nil {
		return err
	}
	for range demoMembers {
		if _, err := d.join(ctx); err != nil {
			return err
		}
	}
	// Readers begin when every member knows that the others serve the cache.
	return d.until(ctx, func() bool {
		for _, m := range d.members {
			serving := 0
			for _, other := range m.node.Mesh().Members() {
				if len(other.Caches) > 0 {
					serving++
				}
			}
			if serving < demoMembers {
				return false
			}
		}
		return true
	})
}

// join starts one more member, on a connection of its own.
func (d *demo) join(ctx context.Context) (*demoMember, error) {
	m := &demoMember{id: fmt.Sprintf("n%d", len(d.members)+1)}
	var err error
	m.node, err = node.Start(ctx, node.Config{
		NATS:      d.nats.URL(),
		Mesh:      "demo",
		ID:        m.id,
		Heartbeat: demoHeartbeat,
		Lease:     demoLease,
		Logger:    quiet,
	})
	if err != nil {
		return nil, fmt.Errorf("start member %s: %w", m.id, err)
	}
	d.members = append(d.members, m)
	m.cache, err = mesh.NewCache(m.node.Mesh(), demoCache, d.origin, mesh.Options{MaxBytes: demoMemory, TTL: time.Hour})
	if err != nil {
		return nil, fmt.Errorf("open the cache on %s: %w", m.id, err)
	}
	d.setLive()
	return m, nil
}

// kill ends a member as the end of its process would: its connection is gone,
// nobody is told.
func (d *demo) kill(m *demoMember) {
	m.dead.Store(true)
	d.setLive()
	m.node.Conn().Close()
}

// setLive makes the readers use the members that live.
func (d *demo) setLive() {
	var live []*demoMember
	for _, m := range d.members {
		if !m.dead.Load() {
			live = append(live, m)
		}
	}
	d.live.Store(&live)
}

// leave ends what start and join began. There is nobody to hand over to, so that
// nothing is waited for but the end itself.
func (d *demo) leave() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	left := make(chan struct{})
	go func() {
		defer close(left)
		var wg sync.WaitGroup
		for _, m := range d.members {
			wg.Go(func() { m.node.Leave(ctx) })
		}
		wg.Wait()
		if d.nats != nil {
			d.nats.Shutdown()
		}
	}()
	select {
	case <-left:
		return nil
	case <-time.After(demoLeaveWait):
		return fmt.Errorf("the members did not end within %v", demoLeaveWait)
	}
}

// until waits for a condition.
func (d *demo) until(ctx context.Context, condition func() bool) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
