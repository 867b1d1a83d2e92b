package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/nats-io/nats.go"

	"github.com/cachemesh/cachemesh/mesh"
)

// holds counts what the process holds, after the garbage is collected.
func (p *memberProcess) holds() holding {
	var m runtime.MemStats
	for range 3 { // what waits in a pool goes with the second collection
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	files, _ := os.ReadDir("/proc/self/fd")
	return holding{Goroutines: runtime.NumGoroutine(), Descriptors: len(files), Subscriptions: p.nc.NumSubscriptions(), Heap: m.HeapAlloc}
}

// churn lets other members join the mesh from this process, over its connection, use the cache and leave. What is held
// is counted when a fifth of the rounds has warmed everything up, and at the end.
func (p *memberProcess) churn(ctx context.Context, o order) (a answer, err error) {
	rounds := func(from, to int) {
		var next, failed atomic.Int64
		next.Store(int64(from))
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for n := next.Add(1); n <= int64(to); n = next.Add(1) {
					if e := p.visit(ctx, fmt.Sprint(p.spec.ID, "-visitor-", p.visits.Add(1)), o.Keys[int(n)%len(o.Keys)]); e != nil {
						failed.Add(1)
						fmt.Fprintln(os.Stderr, "visit", n, e)
					}
				}
			})
		}
		all.Wait()
		a.Failed += int(failed.Load())
		_ = sleep(ctx, time.Second) // the last words are heard, timers end
	}
	rounds(0, o.N/5)
	a.Before = p.holds()
	rounds(o.N/5, o.N)
	end := time.Now().Add(5 * time.Second) // idle goroutines end in their own time
	for a.Holds = p.holds(); a.Holds.Goroutines > a.Before.Goroutines && time.Now().Before(end); a.Holds = p.holds() {
		_ = sleep(ctx, 100*time.Millisecond)
	}
	return a, ctx.Err()
}

// visit is one membership: join, read, leave.
func (p *memberProcess) visit(ctx context.Context, id, key string) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	m, err := mesh.Join(ctx, p.nc, mesh.Config{Name: meshName, ID: id, Heartbeat: p.spec.Heartbeat})
	if err != nil {
		return err
	}
	c, err := mesh.NewCache(m, cacheName, p.visitors, mesh.Options{TTL: p.spec.TTL, MaxBytes: 1 << 20})
	if err == nil {
		_, err = c.Get(ctx, key)
	}
	return errors.Join(err, m.Leave(ctx))
}

// subscriptionsOf are the subscriptions of a connection. nats.go does not tell them; a mesh sets limits of its own on
// what it subscribes to, and this is how they are made small from outside.
func subscriptionsOf(nc *nats.Conn) (list []*nats.Subscription) {
	conn := reflect.ValueOf(nc).Elem()
	mu, subs := conn.FieldByName("subsMu"), conn.FieldByName("subs")
	if !mu.IsValid() || !subs.IsValid() {
		return nil
	}
	lock := (*sync.RWMutex)(unsafe.Pointer(mu.UnsafeAddr()))
	lock.RLock()
	defer lock.RUnlock()
	for _, s := range *(*map[int64]*nats.Subscription)(unsafe.Pointer(subs.UnsafeAddr())) {
		list = append(list, s)
	}
	return list
}

// limitPending makes the process a slow consumer: its subscriptions hold n messages and lose the others.
func limitPending(nc *nats.Conn, n int) error {
	list := subscriptionsOf(nc)
	if len(list) == 0 {
		return errors.New("this version of nats.go keeps its subscriptions elsewhere")
	}
	for _, s := range list {
		if err := s.SetPendingLimits(n, 64<<20); err != nil {
			return err
		}
	}
	return nil
}

// dropped is how many messages the connection's subscriptions have lost.
func dropped(nc *nats.Conn) (n int) {
	for _, s := range subscriptionsOf(nc) {
		if d, err := s.Dropped(); err == nil {
			n += d
		}
	}
	return n
}
