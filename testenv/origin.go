package testenv

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/cachemesh/cachemesh/loader"
)

// Origin is a loader that counts its loads and does as it is told: hold them, slow them, fail them. It has a value for
// every key: what Set said, else OriginValue, which differs from load to load. What a load answers is decided as it
// begins; then it is held and delayed, as an origin's answer on its way is. Its methods are safe for concurrent use.
type Origin struct {
	mu      sync.Mutex // guards the rest
	loads   int
	loadsOf map[string]int
	values  map[string][]byte // nil: not found
	failure error
	delay   time.Duration
	held    chan struct{} // closed by Release; nil: not held
	waiting int
}

// NewOrigin makes an origin that answers at once.
func NewOrigin() *Origin {
	return &Origin{loadsOf: map[string]int{}, values: map[string][]byte{}}
}

// OriginValue is what the nth load of a key (the first is 1) gives where Set has said nothing: "key#n".
func OriginValue(key string, n int) []byte { return fmt.Appendf(nil, "%s#%d", key, n) }

// Load implements loader.Loader. It returns early, with the error of ctx, when ctx is done.
func (o *Origin) Load(ctx context.Context, req loader.Request[[]byte]) (loader.Item[[]byte], error) {
	o.mu.Lock()
	value, err := o.begin(req.Key)
	o.mu.Unlock()
	if end := o.linger(ctx); end != nil {
		return loader.Item[[]byte]{}, end
	}
	return loader.Item[[]byte]{Value: value}, err
}

// begin counts a load and decides its answer. The caller holds mu.
func (o *Origin) begin(key string) ([]byte, error) {
	o.loads++
	o.loadsOf[key]++
	value, set := o.values[key]
	switch {
	case o.failure != nil:
		return nil, o.failure
	case !set:
		return OriginValue(key, o.loadsOf[key]), nil
	case value == nil:
		return nil, loader.ErrNotFound
	}
	return bytes.Clone(value), nil
}

// linger waits as Hold and SetDelay have said.
func (o *Origin) linger(ctx context.Context) error {
	o.mu.Lock()
	held, delay := o.held, o.delay
	o.waiting++
	o.mu.Unlock()
	defer func() {
		o.mu.Lock()
		o.waiting--
		o.mu.Unlock()
	}()
	if held != nil {
		select {
		case <-held:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if delay > 0 {
		t := time.NewTimer(delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Loads counts the loads that have begun; each key of a batch is one.
func (o *Origin) Loads() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.loads
}

// LoadsOf counts the loads of the key that have begun.
func (o *Origin) LoadsOf(key string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.loadsOf[key]
}

// Waiting counts the loads and batches that have begun and not ended, held and delayed ones.
func (o *Origin) Waiting() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.waiting
}

// Hold keeps the loads that begin from now on until Release or the end of their context. Again: nothing happens.
func (o *Origin) Hold() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.held == nil {
		o.held = make(chan struct{})
	}
}

// Release lets all held loads go on, and later ones pass.
func (o *Origin) Release() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.held != nil {
		close(o.held)
		o.held = nil
	}
}

// Fail makes the loads that begin from now on fail with err; nil: no longer.
func (o *Origin) Fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.failure = err
}

// SetDelay makes each load that begins from now on take d.
func (o *Origin) SetDelay(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.delay = d
}

// Set fixes the value of a key. The value is copied.
func (o *Origin) Set(key string, value []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.values[key] = append([]byte{}, value...)
}

// Remove makes the key not found.
func (o *Origin) Remove(key string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.values[key] = nil
}

// BatchOrigin is an Origin that loads many keys at once, too.
type BatchOrigin struct {
	*Origin

	mu      sync.Mutex // guards batches
	batches int
}

// NewBatchOrigin makes a batch origin that answers at once.
func NewBatchOrigin() *BatchOrigin { return &BatchOrigin{Origin: NewOrigin()} }

// LoadMany implements loader.BatchLoader.
func (o *BatchOrigin) LoadMany(ctx context.Context, reqs []loader.Request[[]byte]) (map[string]loader.Item[[]byte], error) {
	o.mu.Lock()
	o.batches++
	o.mu.Unlock()
	items := make(map[string]loader.Item[[]byte], len(reqs))
	failure := o.beginMany(reqs, items)
	if err := o.linger(ctx); err != nil {
		return nil, err
	}
	if failure != nil {
		return nil, failure
	}
	return items, nil
}

func (o *BatchOrigin) beginMany(reqs []loader.Request[[]byte], items map[string]loader.Item[[]byte]) error {
	o.Origin.mu.Lock()
	defer o.Origin.mu.Unlock()
	for _, req := range reqs {
		if value, err := o.begin(req.Key); err == nil {
			items[req.Key] = loader.Item[[]byte]{Value: value}
		}
	}
	return o.failure
}

// Batches counts the calls of LoadMany.
func (o *BatchOrigin) Batches() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.batches
}
