package main

import (
	"context"
	"runtime"
	"time"

	"github.com/Yiling-J/theine-go"
	"github.com/dgraph-io/ristretto/v2"
	"github.com/maypok86/otter/v2"
	"github.com/viccon/sturdyc"
)

// entryCost is what an entry costs besides its value, roughly, in all of them.
const entryCost = 64

// readThrough makes a read-through system of a cache that is read and filled.
func readThrough(s spec, get func(key string) ([]byte, bool), set func(key string, v []byte)) *system {
	from := &origin{delay: s.LoadDelay}
	return &system{
		get: func(ctx context.Context, key string) (int, error) {
			if v, ok := get(key); ok {
				return len(v), nil
			}
			v, err := from.load(ctx, key)
			if err == nil {
				set(key, v)
			}
			return len(v), err
		},
		loads: from.calls.Load,
	}
}

func newRistretto(_ context.Context, s spec) (*system, error) {
	c, err := ristretto.NewCache(&ristretto.Config[string, []byte]{
		NumCounters: 10 * s.maxBytes() / 1024, MaxCost: s.maxBytes(), BufferItems: 64, IgnoreInternalCost: true,
	})
	if err != nil {
		return nil, err
	}
	sys := readThrough(s, c.Get, func(key string, v []byte) {
		// It drops what comes while its buffer is full: without another try it
		// would hold a part of what it has room for.
		for range 10_000 {
			if c.Set(key, v, int64(len(key)+len(v)+entryCost)) {
				return
			}
			runtime.Gosched()
		}
	})
	// A value that is set is seen once the cache has got round to it.
	sys.settle = func(context.Context, int) error { c.Wait(); return nil }
	sys.close = c.Close
	return sys, nil
}

func newOtter(_ context.Context, s spec) (*system, error) {
	c, err := otter.New(&otter.Options[string, []byte]{
		MaximumWeight: uint64(s.maxBytes()),
		Weigher:       func(key string, v []byte) uint32 { return uint32(len(key) + len(v) + entryCost) },
	})
	if err != nil {
		return nil, err
	}
	sys := readThrough(s, c.GetIfPresent, func(key string, v []byte) { c.Set(key, v) })
	sys.settle = func(context.Context, int) error { c.CleanUp(); return nil }
	return sys, nil
}

func newSturdyc(_ context.Context, s spec) (*system, error) {
	c := sturdyc.New[[]byte](int(s.maxBytes()/1024), 64, time.Hour, 10)
	return readThrough(s, c.Get, func(key string, v []byte) { c.Set(key, v) }), nil
}

func newTheine(_ context.Context, s spec) (*system, error) {
	c, err := theine.NewBuilder[string, []byte](s.maxBytes()).Build()
	if err != nil {
		return nil, err
	}
	sys := readThrough(s, c.Get, func(key string, v []byte) { c.Set(key, v, int64(len(key)+len(v)+entryCost)) })
	sys.settle = func(context.Context, int) error { c.Wait(); return nil }
	sys.close = c.Close
	return sys, nil
}
