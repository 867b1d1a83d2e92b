package promise

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
)

// Cache is what a Recorder reads and invalidates: a *mesh.Cache[[]byte], or a model of one.
type Cache interface {
	Get(ctx context.Context, key string, opts ...mesh.ReadOption) ([]byte, error)
	Invalidate(ctx context.Context, keys ...string) error
}

// Member is on whose behalf a cache is used: a *mesh.Mesh, or a model of one. A member that comes back under an old ID
// is not told from its past: give each a new one, as mesh does by default.
type Member interface {
	ID() string
	Members() []mesh.Member
}

// Recorder writes a history while it happens. Its methods are safe for concurrent use.
type Recorder struct {
	clock func() time.Duration

	mu       sync.Mutex // guards the rest
	last     time.Duration
	h        History
	versions map[string]uint64 // of a key: how often it was invalidated
	callers  []Member          // that have invalidated
	min, max time.Duration     // how long loads take
	tags     func(key string) []string
}

// NewRecorder begins a history. The clock gives the time since its start; nil: that of the machine, or of the bubble
// (testing/synctest) that it is called in.
func NewRecorder(clock func() time.Duration) *Recorder {
	if clock == nil {
		begin := time.Now()
		clock = func() time.Duration { return time.Since(begin) }
	}
	return &Recorder{clock: clock, versions: map[string]uint64{}}
}

// History is what has been recorded so far: the loads that have begun, the gets and invalidations that have ended. Take
// it when all calls have returned: an invalidation under way excuses loads that overlap, and is not in it yet.
func (r *Recorder) History() History {
	r.mu.Lock()
	defer r.mu.Unlock()
	return History{
		Loads:         slices.Clone(r.h.Loads),
		Gets:          slices.Clone(r.h.Gets),
		Invalidations: slices.Clone(r.h.Invalidations),
		Steady:        slices.Clone(r.h.Steady),
	}
}

// now is later than any instant it gave before. The caller holds mu.
func (r *Recorder) now() time.Duration {
	r.last = max(r.clock(), r.last+1)
	return r.last
}

func (r *Recorder) stamp() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now()
}

// Steady says that from now until end is called no member comes, goes or loses touch.
func (r *Recorder) Steady() (end func()) {
	from := r.stamp()
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.h.Steady = append(r.h.Steady, Interval{from, r.now()})
	}
}

// SetLoadTime makes each load that begins from now on take from least to most. Zero, the default, is too short for
// loads to overlap often.
func (r *Recorder) SetLoadTime(least, most time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.min, r.max = least, max(least, most)
}

// SetTags gives the values of loads and Sets that begin from now on the tags that tags names for their key. It must not
// call the Recorder.
func (r *Recorder) SetTags(tags func(key string) []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tags = tags
}

// Loader is the origin as one member sees it. Its values say from which load they come; they are of no use to others.
func (r *Recorder) Loader(member string) loader.Loader[[]byte] {
	return loader.Func[[]byte](func(ctx context.Context, req loader.Request[[]byte]) (loader.Item[[]byte], error) {
		l, takes := r.begin(Load{Key: req.Key, Member: member})
		var err error
		if takes > 0 {
			t := time.NewTimer(takes)
			defer t.Stop()
			select {
			case <-t.C:
			case <-ctx.Done():
				err = ctx.Err()
			}
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		done := &r.h.Loads[l.Number-1]
		done.Ended, done.Cancelled = r.now(), ctx.Err() != nil
		if err != nil {
			return loader.Item[[]byte]{}, err
		}
		return loader.Item[[]byte]{Value: valueOf(l), Tags: l.Tags}, nil
	})
}

// begin records a load and says how long it takes.
func (r *Recorder) begin(l Load) (Load, time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l.Number, l.Began, l.Version = uint64(len(r.h.Loads)+1), r.now(), r.versions[l.Key]
	if r.tags != nil {
		l.Tags = r.tags(l.Key)
	}
	r.h.Loads = append(r.h.Loads, l)
	if r.max == 0 {
		return l, 0
	}
	return l, r.min + rand.N(r.max-r.min+1)
}

// Get reads the key from the member's cache and records what came. It returns what the cache returned.
func (r *Recorder) Get(ctx context.Context, c Cache, m Member, key string) ([]byte, error) {
	return r.get(ctx, c, m, Get{Key: key})
}

// Fresh is Get with mesh.Fresh.
func (r *Recorder) Fresh(ctx context.Context, c Cache, m Member, key string) ([]byte, error) {
	return r.get(ctx, c, m, Get{Key: key, Fresh: true}, mesh.Fresh())
}

func (r *Recorder) get(ctx context.Context, c Cache, m Member, g Get, opts ...mesh.ReadOption) ([]byte, error) {
	r.mu.Lock()
	g.Member, g.Start = m.ID(), r.now()
	callers := r.callers[:len(r.callers):len(r.callers)]
	r.mu.Unlock()
	if end, ok := ctx.Deadline(); ok {
		g.Deadline = g.Start + time.Until(end)
	}
	for _, by := range callers {
		if by.ID() != g.Member && slices.Contains(ids(by), g.Member) {
			g.CountedBy = append(g.CountedBy, by.ID())
		}
	}
	value, err := c.Get(ctx, g.Key, opts...)
	r.mu.Lock()
	defer r.mu.Unlock()
	g.End, g.Err = r.now(), err
	if err == nil {
		g.Load = r.number(value)
	}
	r.h.Gets = append(r.h.Gets, g)
	return value, err
}

// number is the load that made the value. The caller holds mu.
func (r *Recorder) number(value []byte) uint64 {
	says, ok := loadOf(value)
	if !ok || says.Number == 0 || says.Number > uint64(len(r.h.Loads)) {
		return garbled
	}
	l := r.h.Loads[says.Number-1]
	if says.Key != l.Key || says.Began != l.Began || says.Version != l.Version {
		return garbled
	}
	return l.Number
}

// Invalidate invalidates the keys through the member's cache and returns what the cache returned.
func (r *Recorder) Invalidate(ctx context.Context, c Cache, m Member, keys ...string) error {
	if keys == nil {
		keys = []string{}
	}
	return r.invalidate(m, Invalidation{Keys: keys}, func() error { return c.Invalidate(ctx, keys...) })
}

// InvalidateTags invalidates what carries the tags (SetTags) through the member's cache and returns what the cache
// returned.
func (r *Recorder) InvalidateTags(ctx context.Context, c interface {
	InvalidateTags(ctx context.Context, tags ...string) error
}, m Member, tags ...string) error {
	if tags == nil {
		tags = []string{}
	}
	return r.invalidate(m, Invalidation{Tags: tags}, func() error { return c.InvalidateTags(ctx, tags...) })
}

// Clear invalidates all keys through the member's cache and returns what the cache returned.
func (r *Recorder) Clear(ctx context.Context, c interface{ Clear(context.Context) error }, m Member) error {
	return r.invalidate(m, Invalidation{}, func() error { return c.Clear(ctx) })
}

// Setter is a cache that takes values.
type Setter interface {
	Set(ctx context.Context, key string, item loader.Item[[]byte]) error
}

// Set puts a value that counts as loaded now through the member's cache, which also invalidates the key, and returns
// what the cache returned.
func (r *Recorder) Set(ctx context.Context, c Setter, m Member, key string) error {
	return r.invalidate(m, Invalidation{Keys: []string{key}}, func() error {
		l, _ := r.begin(Load{Key: key, Member: m.ID(), Set: true})
		return c.Set(ctx, key, loader.Item[[]byte]{Value: valueOf(l), Tags: l.Tags})
	})
}

func (r *Recorder) invalidate(m Member, i Invalidation, call func() error) error {
	i.Member = m.ID()
	r.mu.Lock()
	i.Start = r.now()
	for _, key := range i.Keys {
		r.versions[key]++
	}
	if !slices.Contains(r.callers, m) {
		r.callers = append(r.callers, m)
	}
	r.mu.Unlock()
	before := ids(m)
	i.Err = call()
	i.Counted = ids(m)
	var partial *mesh.PartialError
	switch {
	case i.Err == nil:
		i.Outcome = OK
	case errors.As(i.Err, &partial):
		i.Outcome, i.Missing = Partial, partial.Members
		i.Counted = append(i.Counted, before...) // it lists those evicted meanwhile, too
		slices.Sort(i.Counted)
		i.Counted = slices.Compact(i.Counted)
	case errors.Is(i.Err, mesh.ErrClosed), errors.Is(i.Err, mesh.ErrBadKey):
		i.Outcome = Refused
	default:
		i.Outcome = Failed
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	i.End = r.now()
	r.h.Invalidations = append(r.h.Invalidations, i)
	return i.Err
}

func ids(m Member) []string {
	members := m.Members()
	list := make([]string, len(members))
	for i := range members {
		list[i] = members[i].ID
	}
	return list
}
