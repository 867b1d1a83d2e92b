package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/cachemesh/cachemesh/internal/natsd"
	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
)

var quiet = slog.New(slog.DiscardHandler)

// newServer is an external nats-server: the one that meshnode embeds, in a
// process of its own.
func newServer(context.Context, spec) (*system, error) {
	srv, err := natsd.Start(natsd.Config{Port: natsd.RandomPort, Logger: quiet})
	if err != nil {
		return nil, err
	}
	return &system{addr: srv.URL(), close: srv.Shutdown}, nil
}

// connect connects to the spec's server, or starts one here.
func connect(s spec) (nc *nats.Conn, url string, closeAll func(), err error) {
	if !s.Embed {
		nc, err = nats.Connect(s.URL)
		if err != nil {
			return nil, "", nil, err
		}
		return nc, s.URL, nc.Close, nil
	}
	srv, err := natsd.Start(natsd.Config{Port: natsd.RandomPort, Logger: quiet})
	if err != nil {
		return nil, "", nil, err
	}
	nc, err = nats.Connect("", nats.InProcessServer(srv))
	if err != nil {
		srv.Shutdown()
		return nil, "", nil, err
	}
	return nc, srv.URL(), func() { nc.Close(); srv.Shutdown() }, nil
}

// newMesh is one or more members, each on a connection of its own. Gets go
// through the first of them.
func newMesh(ctx context.Context, s spec) (*system, error) {
	from := &origin{delay: s.LoadDelay}
	var (
		closers []func()
		meshes  []*mesh.Mesh
		caches  []*mesh.Cache[[]byte]
		conns   []*nats.Conn
		url     = s.URL
	)
	closeAll := func() {
		for _, f := range slices.Backward(closers) {
			f()
		}
	}
	for i := range max(s.Members, 1) {
		nc, addr, closeConn, err := connect(s)
		if err != nil {
			closeAll()
			return nil, err
		}
		closers, conns = append(closers, closeConn), append(conns, nc)
		url = addr
		m, c, err := joinOne(ctx, nc, s, fmt.Sprintf("%s-%d", s.ID, i), from)
		if err != nil {
			closeAll()
			return nil, err
		}
		meshes, caches = append(meshes, m), append(caches, c)
	}
	first := caches[0]
	return &system{
		addr: url,
		get: func(ctx context.Context, key string) (int, error) {
			v, err := first.Get(ctx, key)
			return len(v), err
		},
		owns:       func(key string) bool { return meshes[0].Owner("bench", key) == meshes[0].ID() },
		invalidate: func(ctx context.Context, key string) error { return first.Invalidate(ctx, key) },
		settle: func(ctx context.Context, want int) error {
			for _, m := range meshes {
				if err := agree(ctx, m, want); err != nil {
					return err
				}
			}
			return nil
		},
		join: func(ctx context.Context, key string, want int) (time.Duration, error) {
			return joinOnce(ctx, s, meshes[0], from, key, want)
		},
		received: func() (messages, bytes uint64) {
			for _, nc := range conns {
				messages, bytes = messages+nc.Stats().InMsgs, bytes+nc.Stats().InBytes
			}
			return messages, bytes
		},
		loads: from.calls.Load,
		served: func() (n uint64) {
			for _, c := range caches {
				n += c.Stats().Served
			}
			return n
		},
		close: closeAll,
	}, nil
}

func joinOne(ctx context.Context, nc *nats.Conn, s spec, id string, from *origin) (*mesh.Mesh, *mesh.Cache[[]byte], error) {
	m, err := mesh.Join(ctx, nc, mesh.Config{Name: "bench", ID: id, Reader: s.Reader, Logger: quiet})
	if err != nil {
		return nil, nil, err
	}
	opts := mesh.Options{MaxBytes: s.maxBytes(), TTL: time.Hour, ReplicaBytes: s.ReplicaBytes}
	if s.ReplicaBytes == 0 {
		opts.ReplicaBytes = -1
	}
	var origin loader.Loader[[]byte]
	if !s.Reader {
		origin = loader.Of(from.load)
	}
	c, err := mesh.NewCache(m, "bench", origin, opts)
	return m, c, err
}

// joinOnce lets one more member join, get a key and leave, and waits until old
// counts want members again. The time is that from Join to the value.
func joinOnce(ctx context.Context, s spec, old *mesh.Mesh, from *origin, key string, want int) (took time.Duration, err error) {
	nc, err := nats.Connect(s.URL)
	if err != nil {
		return 0, err
	}
	defer nc.Close()
	began := time.Now()
	m, c, err := joinOne(ctx, nc, s, "", from)
	if err != nil {
		return 0, err
	}
	_, err = c.Get(ctx, key)
	took = time.Since(began)
	err = errors.Join(err, m.Leave(ctx))
	for len(old.Members()) > want && err == nil {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			err = fmt.Errorf("the member that left is still counted: %w", ctx.Err())
		}
	}
	return took, err
}

// agree waits until m counts want members, all but the readers with the cache open.
func agree(ctx context.Context, m *mesh.Mesh, want int) error {
	for {
		open := 0
		for _, other := range m.Members() {
			if slices.Contains(other.Caches, "bench") || other.Reader {
				open++
			}
		}
		if open >= want && m.Owner("bench", "any") != "" {
			return nil
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("member %s sees %d of %d members", m.ID(), open, want), ctx.Err())
		}
	}
}
