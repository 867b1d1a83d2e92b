package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/loader/fileorigin"
)

// demoOrigin is the files behind a latency. It stamps each value with the load
// that it came from, so that readers can tell an outdated one.
type demoOrigin struct {
	files   *fileorigin.Origin
	latency time.Duration
	start   time.Time // stamps count from here
	loads   atomic.Uint64

	mu    sync.Mutex
	byKey map[string]int // loads of each key; guarded by mu
}

func newDemoOrigin(dir string, latency time.Duration) (*demoOrigin, error) {
	files, err := fileorigin.New(dir, fileorigin.Options{MaxBytes: 2 * demoMaxFile})
	if err != nil {
		return nil, err
	}
	return &demoOrigin{files: files, latency: latency, start: time.Now(), byKey: map[string]int{}}, nil
}

func (o *demoOrigin) close() { o.files.Close() }

// now is the demo's clock.
func (o *demoOrigin) now() time.Duration { return time.Since(o.start) }

// Load reads a file, after the latency.
func (o *demoOrigin) Load(ctx context.Context, req loader.Request[[]byte]) (loader.Item[[]byte], error) {
	began := o.now()
	number := o.loads.Add(1)
	o.mu.Lock()
	o.byKey[req.Key]++
	o.mu.Unlock()
	select {
	case <-time.After(o.latency):
	case <-ctx.Done():
		return loader.Item[[]byte]{}, context.Cause(ctx)
	}
	// Without Prev: a file that has not changed is stamped anew all the same.
	item, err := o.files.Load(ctx, loader.Request[[]byte]{Key: req.Key})
	if err != nil {
		return item, err
	}
	item.Value = stamp{number, began}.put(req.Key, item.Value)
	item.ETag = ""
	return item, nil
}

// loaded is how often each key has been loaded until now.
func (o *demoOrigin) loaded() map[string]int {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := make(map[string]int, len(o.byKey))
	for key, n := range o.byKey {
		all[key] = n
	}
	return all
}

// stamp is the load that a value came from.
type stamp struct {
	number uint64
	began  time.Duration // on the demo's clock
}

// stampSize: number, beginning, length and key of the value, 8 bytes each.
const stampSize = 32

// put makes the value that carries the stamp.
func (s stamp) put(key string, data []byte) []byte {
	v := make([]byte, stampSize, stampSize+len(data))
	binary.LittleEndian.PutUint64(v[0:], s.number)
	binary.LittleEndian.PutUint64(v[8:], uint64(s.began))
	binary.LittleEndian.PutUint64(v[16:], uint64(len(data)))
	binary.LittleEndian.PutUint64(v[24:], keyHash(key))
	return append(v, data...)
}

// readStamp gives a value's stamp, or an error if the value is not whole or is
// another key's.
func readStamp(key string, v []byte) (stamp, error) {
	switch {
	case len(v) < stampSize, binary.LittleEndian.Uint64(v[16:]) != uint64(len(v)-stampSize):
		return stamp{}, fmt.Errorf("the value of %q is not whole: %d bytes", key, len(v))
	case binary.LittleEndian.Uint64(v[24:]) != keyHash(key):
		return stamp{}, fmt.Errorf("%q was answered with the value of another key", key)
	}
	return stamp{
		number: binary.LittleEndian.Uint64(v[0:]),
		began:  time.Duration(binary.LittleEndian.Uint64(v[8:])),
	}, nil
}

func keyHash(key string) uint64 {
	h := fnv.New64a()
	io.WriteString(h, key)
	return h.Sum64()
}

// floors say what is outdated: for each invalidated key, when its Invalidate was
// called. A value whose load began earlier must not be read once the call has
// returned.
type floors struct {
	mu    sync.RWMutex
	byKey map[string]time.Duration // guarded by mu
}

func newFloors() *floors { return &floors{byKey: map[string]time.Duration{}} }

// raise is called when an Invalidate that was called at called has returned nil.
func (f *floors) raise(key string, called time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.byKey[key] = max(f.byKey[key], called)
}

// of gives the floor that a read which begins now must keep.
func (f *floors) of(key string) time.Duration {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.byKey[key]
}
