package mesh_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
)

// source is an origin of "key#n" for the nth load of a key, whose items a test may edit.
type source struct {
	mu    sync.Mutex // guards the rest
	loads map[string]int
	total int
	prevs []*loader.Item[string] // of each load
	delay time.Duration
	held  chan struct{} // loads wait until it is closed; nil: they do not
	fails error
	busy  int // loads under way
	edit  func(req loader.Request[string], n int, item *loader.Item[string])
}

func newSource() *source { return &source{loads: map[string]int{}} }

func (s *source) Load(ctx context.Context, req loader.Request[string]) (loader.Item[string], error) {
	s.mu.Lock()
	s.total++
	s.loads[req.Key]++
	n := s.loads[req.Key]
	s.prevs = append(s.prevs, req.Prev)
	item := loader.Item[string]{Value: fmt.Sprint(req.Key, "#", n)}
	if s.edit != nil {
		s.edit(req, n, &item)
	}
	delay, held, err := s.delay, s.held, s.fails
	s.busy++
	s.mu.Unlock()
	defer s.set(func(s *source) { s.busy-- })
	if held != nil {
		select {
		case <-held:
		case <-ctx.Done():
			return item, ctx.Err()
		}
	}
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return item, ctx.Err()
		}
	}
	return item, err
}

// set changes the source under its lock.
func (s *source) set(f func(s *source)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

func (s *source) fail(err error)       { s.set(func(s *source) { s.fails = err }) }
func (s *source) slow(d time.Duration) { s.set(func(s *source) { s.delay = d }) }
func (s *source) hold()                { s.set(func(s *source) { s.held = make(chan struct{}) }) }
func (s *source) release()             { s.set(func(s *source) { close(s.held); s.held = nil }) }
func (s *source) loadsOf(k string) int { s.mu.Lock(); defer s.mu.Unlock(); return s.loads[k] }
func (s *source) all() int             { s.mu.Lock(); defer s.mu.Unlock(); return s.total }
func (s *source) items(f func(loader.Request[string], int, *loader.Item[string])) {
	s.set(func(s *source) { s.edit = f })
}

// lastPrev is the Prev of the latest load.
func (s *source) lastPrev() *loader.Item[string] {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.prevs) == 0 {
		return nil
	}
	return s.prevs[len(s.prevs)-1]
}

// lab is a town with a cache "c" on every member, and a key of m0.
type lab struct {
	*town
	origin *source
	caches []*mesh.Cache[string]
	key    string
	// caller is the index of the member that a test reads through: 0 owns the key.
	caller int
}

func newLab(t *testing.T, w *town, opts mesh.Options, caller int) *lab {
	t.Helper()
	if opts.Jitter == 0 {
		opts.Jitter = -1
	}
	l := &lab{town: w, origin: newSource(), caller: caller}
	l.caches = open[string](w, "c", l.origin, opts)
	t.Cleanup(func() { // a load that nobody waits for outlives no bubble
		time.Sleep(10 * time.Millisecond)
		l.soon("the loads have ended", func() bool {
			l.origin.mu.Lock()
			defer l.origin.mu.Unlock()
			return l.origin.busy == 0
		})
	})
	l.key = w.keyOf("c", "m0")
	return l
}

// inLab runs f in virtual time with n members.
func inLab(t *testing.T, n int, opts mesh.Options, f func(t *testing.T, l *lab)) {
	t.Helper()
	bubble(t, n, func(t *testing.T, w *town) { f(t, newLab(t, w, opts, 0)) })
}

// fromBoth runs f twice in virtual time with two members: with the key's owner as the caller, and with the other.
func fromBoth(t *testing.T, opts mesh.Options, f func(t *testing.T, l *lab)) {
	for caller, name := range []string{"owner", "non-owner"} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 2, func(t *testing.T, w *town) { f(t, newLab(t, w, opts, caller)) })
		})
	}
}

// here is the cache that the test reads through.
func (l *lab) here() *mesh.Cache[string] { return l.caches[l.caller] }

// look looks the key up through the member and fails the test on an error.
func (l *lab) look(member int, opts ...mesh.ReadOption) mesh.Entry[string] {
	l.t.Helper()
	e, err := l.caches[member].Lookup(l.ctx, l.key, opts...)
	if err != nil {
		l.t.Errorf("through m%d: %v", member, err)
	}
	return e
}

// read is look through the caller, timed.
func (l *lab) read(opts ...mesh.ReadOption) (mesh.Entry[string], time.Duration) {
	l.t.Helper()
	began := time.Now()
	e := l.look(l.caller, opts...)
	return e, time.Since(began)
}

// nth is the value of the nth load of the key.
func (l *lab) nth(n int) string { return fmt.Sprint(l.key, "#", n) }

// memory is where the caller has what the owner holds from.
func (l *lab) memory() mesh.Source {
	if l.caller == 0 {
		return mesh.Local
	}
	return mesh.Owner
}

// sum adds up a counter of all caches.
func (l *lab) sum(of func(mesh.CacheStats) uint64) (n uint64) {
	for _, c := range l.caches {
		n += of(c.Stats())
	}
	return n
}

// is checks an entry's value, source and staleness.
func is(t *testing.T, e mesh.Entry[string], value string, from mesh.Source, stale bool) {
	t.Helper()
	if e.Value != value || e.Source != from || e.Stale != stale {
		t.Errorf("got %q from %v, stale %v (age %v, TTL %v); want %q from %v, stale %v", e.Value, e.Source, e.Stale, e.Age, e.TTL, value, from, stale)
	}
	if e.Stale && e.TTL >= 0 {
		t.Errorf("stale, with a TTL of %v", e.TTL)
	}
}

// atOnce checks that a read took no longer than a round trip.
func atOnce(t *testing.T, took time.Duration) {
	t.Helper()
	if took > 5*time.Millisecond {
		t.Errorf("it took %v", took)
	}
}

// between checks that a read took as long as it should.
func between(t *testing.T, took, least, most time.Duration) {
	t.Helper()
	if took < least || took > most {
		t.Errorf("it took %v, and should take %v to %v", took, least, most)
	}
}
