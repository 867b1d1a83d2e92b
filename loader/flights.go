package loader

import (
	"context"
	"hash/maphash"
	"sync"
)

// Flights makes the concurrent calls for one key into one. The zero value is
// ready; it must not be copied after first use.
//
// Do is the plain form. The other methods are for those who need more: who look
// at a flight before they join it, replace it, or land it from elsewhere.
type Flights[T any] struct {
	// OnPanic, if set, is told when a function that Do runs panics, calls
	// runtime.Goexit or returns a *PanicError (as Safely does), before those
	// who wait are. Set it before the first Do.
	OnPanic func(key string, value any, stack []byte)

	stripes [1 << stripeBits]stripe[T]

	free sync.Pool // of *Flight[T] that everyone is done with
}

var seed = maphash.MakeSeed()

const stripeBits = 6

// stripe gives the stripe of key, and the key's hash. The stripe is picked by its high
// bits, the place there by the low ones.
func (g *Flights[T]) stripe(key string) (s *stripe[T], h uint64) {
	h = maphash.String(seed, key)
	return &g.stripes[h>>(64-stripeBits)], h
}

// Join counts the caller as a waiter of the flight that is under way for the
// key, or of a new one: then lead is true, and the caller must see to it that
// Land is called.
func (g *Flights[T]) Join(key string) (f *Flight[T], lead bool) {
	s, h := g.stripe(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.flights.find(h, key); f != nil {
		f.joined()
		return f, false
	}
	return s.start(g, h, key), true
}

// Peek returns the flight that a Join would join, or nil. It counts nobody.
func (g *Flights[T]) Peek(key string) *Flight[T] {
	s, h := g.stripe(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.flights.find(h, key)
}

// Watch has fn called with the result when the flight that is under way for the key
// lands, as Flight.Then has, and reports whether there is one. But it counts nobody: the
// flight goes on for the sake of those who wait for it, and may be abandoned by them.
func (g *Flights[T]) Watch(key string, fn func(T, error)) bool {
	s, h := g.stripe(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.flights.find(h, key)
	if f == nil {
		return false
	}
	f.calls = append(f.calls, &call[T]{fn: fn})
	return true
}

// JoinIf counts the caller as a waiter of the flight that is under way for the
// key if ok says so, and returns nil otherwise. ok is called with a lock held:
// it may call the flight's Key, Phase and Attached, and nothing else of it or of
// Flights.
func (g *Flights[T]) JoinIf(key string, ok func(*Flight[T]) bool) *Flight[T] {
	s, h := g.stripe(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.flights.find(h, key)
	if f == nil || !ok(f) {
		return nil
	}
	f.joined()
	return f
}

// Replace returns a new flight that later callers join in place of the one under
// way, which goes on for those who wait for it. The caller leads the new one and
// is counted.
func (g *Flights[T]) Replace(key string) *Flight[T] {
	s, h := g.stripe(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.flights.find(h, key); f != nil {
		s.detach(f)
	}
	return s.start(g, h, key)
}

// Detach lets nobody join the flight that is under way for the key from now on.
// It goes on for those who wait for it.
func (g *Flights[T]) Detach(key string) {
	s, h := g.stripe(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.flights.find(h, key); f != nil {
		s.detach(f)
	}
}

// DetachAll detaches every flight that was under way when it was called.
func (g *Flights[T]) DetachAll() {
	for i := range g.stripes {
		s := &g.stripes[i]
		s.mu.Lock()
		s.flights.clear(func(f *Flight[T]) { f.attached.Store(false) })
		s.mu.Unlock()
	}
}

// LandAll lands every flight that can be joined, with that result: who waits need not
// wait for the work to end.
func (g *Flights[T]) LandAll(value T, err error) {
	var all []*Flight[T]
	for i := range g.stripes {
		s := &g.stripes[i]
		s.mu.Lock()
		s.flights.clear(func(f *Flight[T]) {
			f.attached.Store(false)
			f.users.Add(1) // until it is landed here: its memory serves no other before
			all = append(all, f)
		})
		s.mu.Unlock()
	}
	for _, f := range all {
		f.Land(value, err)
		f.Done()
	}
}

// Len returns the number of flights under way that can be joined.
func (g *Flights[T]) Len() int {
	n := 0
	for i := range g.stripes {
		s := &g.stripes[i]
		s.mu.Lock()
		n += s.flights.n
		s.mu.Unlock()
	}
	return n
}

// Do returns what fn returns, and runs it once for all who call Do for the key
// while it runs; shared says that another caller's was joined. fn runs in a
// goroutine of its own under the flight's Context, which is cancelled only when
// every caller has left. Each caller leaves when its own ctx is done, with
// context.Cause(ctx); one whose ctx is done already starts and joins nothing. If
// fn panics or calls runtime.Goexit, everyone gets a *PanicError, and the key
// works afterwards.
func (g *Flights[T]) Do(ctx context.Context, key string, fn func(ctx context.Context) (T, error)) (v T, shared bool, err error) {
	if ctx.Err() != nil {
		return v, false, context.Cause(ctx)
	}
	f, lead := g.Join(key)
	if lead {
		go g.run(f, fn)
	}
	v, err = f.Wait(ctx)
	return v, !lead, err
}

func (g *Flights[T]) run(f *Flight[T], fn func(ctx context.Context) (T, error)) {
	guarded(
		func() (T, error) { return fn(f.Context()) },
		func(value T, err error) {
			defer f.Land(value, err) // whatever OnPanic does
			if p, ok := err.(*PanicError); ok && g.OnPanic != nil {
				g.OnPanic(f.key, p.Value, p.Stack)
			}
		})
}
