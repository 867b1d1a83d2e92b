package main

import (
	"context"
	"net"
	"net/http"
	"strconv"

	"github.com/golang/groupcache"
	"github.com/golang/groupcache/groupcachepb"
	"github.com/golang/groupcache/singleflight"
)

// newGroupcache is one peer over HTTP, with a transport that keeps its
// connections: the default keeps two and opens a new one for most gets.
func newGroupcache(_ context.Context, s spec) (*system, error) {
	sys, _, _, err := groupcachePeer(s)
	return sys, err
}

// newGroupcacheCold is the same without its hot cache, which has no switch:
// remote keys go to their owner past the group, still one flight a key.
func newGroupcacheCold(_ context.Context, s spec) (*system, error) {
	sys, pool, group, err := groupcachePeer(s)
	if err != nil {
		return nil, err
	}
	var flights singleflight.Group
	name := group.Name()
	local := sys.get
	sys.get = func(ctx context.Context, key string) (int, error) {
		peer, remote := pool.PickPeer(key)
		if !remote {
			return local(ctx, key)
		}
		v, err := flights.Do(key, func() (any, error) {
			var out groupcachepb.GetResponse
			err := peer.Get(ctx, &groupcachepb.GetRequest{Group: &name, Key: &key}, &out)
			return out.Value, err
		})
		if err != nil {
			return 0, err
		}
		return len(v.([]byte)), nil
	}
	return sys, nil
}

func groupcachePeer(s spec) (*system, *groupcache.HTTPPool, *groupcache.Group, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, nil, err
	}
	self := "http://" + ln.Addr().String()
	pool := groupcache.NewHTTPPoolOpts(self, nil)
	transport := &http.Transport{MaxIdleConnsPerHost: 2048, DisableCompression: true}
	pool.Transport = func(context.Context) http.RoundTripper { return transport }
	if s.Addr != "" {
		pool.Set(s.Addr)
	}
	bytes := s.maxBytes()
	if s.Reader {
		bytes = 0 // keeps nothing, so that each get is remote
	}
	from := &origin{delay: s.LoadDelay}
	group := groupcache.NewGroup("bench", bytes, groupcache.GetterFunc(
		func(ctx context.Context, key string, dest groupcache.Sink) error {
			v, err := from.load(ctx, key)
			if err != nil {
				return err
			}
			return dest.SetBytes(v)
		}))
	srv := &http.Server{Handler: pool}
	go func() { _ = srv.Serve(ln) }()
	return &system{
		addr: self,
		get: func(ctx context.Context, key string) (int, error) {
			var v groupcache.ByteView
			err := group.Get(ctx, key, groupcache.ByteViewSink(&v))
			return v.Len(), err
		},
		owns: func(key string) bool {
			_, remote := pool.PickPeer(key)
			return !remote
		},
		peers: func(addrs []string) { pool.Set(addrs...) },
		loads: from.calls.Load,
		served: func() uint64 {
			n, _ := strconv.ParseUint(group.Stats.ServerRequests.String(), 10, 64)
			return n
		},
		close: func() { _ = srv.Close() },
	}, pool, group, nil
}
