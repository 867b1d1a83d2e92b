package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// system is one process's part of something that is measured. Whatever it is,
// it answers gets of keys of the form SIZE/NAME.
type system struct {
	addr       string                                             // where other processes reach it
	get        func(ctx context.Context, key string) (int, error) // the length of the value
	invalidate func(ctx context.Context, key string) error
	peers      func(addrs []string)                                                   // tells it of all members
	owns       func(key string) bool                                                  // nil: everything
	settle     func(ctx context.Context, want int) error                              // waits until that many know each other
	join       func(ctx context.Context, key string, want int) (time.Duration, error) // how long one more member takes to get a key
	received   func() (messages, bytes uint64)                                        // over NATS
	loads      func() uint64
	served     func() uint64
	cpu        func() (time.Duration, error) // where the work is not this process's own
	close      func()
}

// systems are the makers of all that is measured.
var systems = map[string]func(ctx context.Context, s spec) (*system, error){
	"nats-server":                  newServer,
	"mesh":                         newMesh,
	"nats":                         newNATS,
	"nats-owner":                   newNATSOwner,
	"groupcache":                   newGroupcache,
	"groupcache without hot cache": newGroupcacheCold,
	"redis-server":                 newRedisServer,
	"redis":                        newRedis,
	"tcp":                          newTCP,
	"tcp-owner":                    newTCPOwner,
	"tcp-relay":                    newTCPRelay,
	"ristretto":                    newRistretto,
	"otter":                        newOtter,
	"sturdyc":                      newSturdyc,
	"theine":                       newTheine,
}

// origin makes the values, and counts.
type origin struct {
	delay time.Duration
	calls atomic.Uint64
}

func (o *origin) load(ctx context.Context, key string) ([]byte, error) {
	o.calls.Add(1)
	if o.delay > 0 {
		select {
		case <-time.After(o.delay):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return valueOf(key)
}

// valueOf is the value of a key, freshly made: its key begins with the length.
func valueOf(key string) ([]byte, error) {
	size, _, _ := strings.Cut(key, "/")
	n, err := strconv.Atoi(size)
	if err != nil {
		return nil, fmt.Errorf("key %q: want SIZE/NAME", key)
	}
	return make([]byte, n), nil
}

// maxBytes is the memory that a system gets where its spec names none.
func (s spec) maxBytes() int64 {
	if s.MaxBytes == 0 {
		return 256 << 20
	}
	return s.MaxBytes
}
