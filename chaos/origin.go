package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/testenv/promise"
)

// origin is where the members load from: a server on a Unix socket, which reaches into every network namespace. It
// writes down each load.
type origin struct {
	path   string
	server *http.Server

	mu       sync.Mutex // guards the rest
	loads    []promise.Load
	versions map[string]uint64
	takes    time.Duration
}

func newOrigin(path string) (*origin, error) {
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("origin: %w", err)
	}
	o := &origin{path: path, versions: map[string]uint64{}}
	o.server = &http.Server{Handler: o, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = o.server.Serve(l) }()
	return o, nil
}

func (o *origin) close() { _ = o.server.Close() }

// setTakes makes each load that begins from now on take d.
func (o *origin) setTakes(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.takes = d
}

// ServeHTTP answers a load. When it began is what the member says: a value's age counts from the call of the loader.
func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	began, err := strconv.ParseInt(q.Get("began"), 10, 64)
	if err != nil {
		http.Error(w, "began: want nanoseconds", http.StatusBadRequest)
		return
	}
	o.mu.Lock()
	key := q.Get("key")
	o.versions[key]++
	l := promise.Load{Number: uint64(len(o.loads) + 1), Key: key, Member: q.Get("member"),
		Began: time.Duration(began), Version: o.versions[key]}
	o.loads = append(o.loads, l)
	takes := o.takes
	o.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-r.Context().Done():
	}
	o.mu.Lock()
	done := &o.loads[l.Number-1]
	done.Ended, done.Cancelled = now(), r.Context().Err() != nil
	o.mu.Unlock()
	_, _ = w.Write(valueOf(l.Number, l.Began, l.Version, key))
}

// history is all loads that have begun.
func (o *origin) history() []promise.Load {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]promise.Load(nil), o.loads...)
}

// underWay are the loads under way, by member.
func (o *origin) underWay(member string) (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range o.loads {
		if l := &o.loads[i]; l.Member == member && l.Ended == 0 {
			n++
		}
	}
	return n
}

// loaderFrom is the origin at the socket, as a member sees it.
func loaderFrom(path, member string) loader.Loader[[]byte] {
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, // what a process holds is counted: nothing is to stay
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		},
	}}
	return loader.Of(func(ctx context.Context, key string) ([]byte, error) {
		q := url.Values{"member": {member}, "key": {key}, "began": {strconv.FormatInt(int64(now()), 10)}}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://origin/?"+q.Encode(), nil)
		if err != nil {
			return nil, err
		}
		resp, err := client.Do(req)
		if err != nil {
			return nil, err
		}
		value, err := io.ReadAll(resp.Body)
		err = errors.Join(err, resp.Body.Close())
		if err == nil && resp.StatusCode != http.StatusOK {
			err = fmt.Errorf("origin: %s", resp.Status)
		}
		return value, err
	})
}
