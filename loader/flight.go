package loader

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
)

// Flight is one load under way and those who wait for it. Flights makes them.
//
// Whoever leads a flight lands it, from any goroutine. Everyone who was counted
// as a waiter calls exactly one of Wait, Then and Leave. A flight that its last
// waiter leaves is abandoned, unless it is pinned: its context is cancelled, and
// nobody joins it any more, unless it lingers.
type Flight[T any] struct {
	// Companion is the leader's, to keep memory in that serves the next flight
	// together with this one: see Done, which calls Clear. Only the leader may set it.
	Companion interface{ Clear() }

	group *Flights[T]
	home  *stripe[T]
	key   string
	hash  uint64 // of key

	// users are those who have not said Done: the waiters, and the leader.
	users atomic.Int32

	// attached and phase are written with home.mu held, and read without it.
	attached atomic.Bool
	phase    atomic.Uint32

	// What follows is guarded by home.mu.

	next      *Flight[T] // in its stripe's table
	waiters   int
	pinned    bool
	lingers   bool
	landed    bool
	abandoned bool

	value T // the result, once landed
	err   error

	// own has one place: the landing sends to who was the first to sit in Wait, if
	// somebody was. All others share a channel, which the landing closes.
	own    chan struct{}
	taken  bool
	shared chan struct{}
	// calls are to be made on landing, in the order of Then.
	calls []*call[T]
	gone  int // of them that have left, at most half of many

	// onAbandon is called when the last waiter leaves.
	onAbandon func()
	// onIdle is called when the last waiter leaves again: see Linger.
	onIdle func()

	// ctx exists only if it was asked for: many flights need none.
	ctx    context.Context
	cancel context.CancelCauseFunc
}

// call is what Then has asked for.
type call[T any] struct {
	fn func(T, error)
	// settled is set once, by whoever comes first: the landing, which then
	// calls fn, or the waiter that leaves.
	settled atomic.Bool
}

// Key returns the key that is loaded.
func (f *Flight[T]) Key() string { return f.key }

// Attached reports whether later callers join this flight. It does not once the
// flight has landed, was detached or replaced, nor, unless it lingers, once abandoned.
func (f *Flight[T]) Attached() bool { return f.attached.Load() }

// Phase returns what SetPhase last noted; 0 at first.
func (f *Flight[T]) Phase() uint32 { return f.phase.Load() }

// SetPhase notes what the flight does, in words of the caller's own. Once it has
// returned, no JoinIf joins on the strength of an earlier phase.
func (f *Flight[T]) SetPhase(phase uint32) {
	f.home.mu.Lock()
	defer f.home.mu.Unlock()
	f.phase.Store(phase)
}

// Wait returns the result once the flight has landed. If ctx is done before, the
// caller leaves, and Wait returns context.Cause(ctx). A flight that has landed
// wins over a ctx that is done.
func (f *Flight[T]) Wait(ctx context.Context) (T, error) {
	f.home.mu.Lock()
	if f.landed {
		f.home.mu.Unlock()
		return f.value, f.err
	}
	landed := f.sit()
	f.home.mu.Unlock()

	if ctx.Done() == nil { // a plain receive costs less than a choice
		<-landed
	} else {
		select {
		case <-landed:
		case <-ctx.Done():
			if f.leave() {
				var zero T
				return zero, context.Cause(ctx)
			}
			<-landed // the landing is about to wake it
		}
	}
	return f.value, f.err
}

// sit gives a waiter what the landing wakes it by. home.mu is held.
func (f *Flight[T]) sit() <-chan struct{} {
	if !f.taken {
		f.taken = true
		if f.own == nil {
			f.own = make(chan struct{}, 1)
		}
		return f.own
	}
	if f.shared == nil {
		f.shared = make(chan struct{})
	}
	return f.shared
}

// Then is Wait without waiting: fn is called once with the result, on landing by
// the goroutine that lands the flight, or at once if it has landed. fn may use
// any flight, this one included, and must not panic.
//
// The caller leaves with the function that Then returns. fn is not called
// afterwards, unless its call has begun by then. Calling it again, or after the
// landing, does nothing.
func (f *Flight[T]) Then(fn func(T, error)) (leave func()) {
	f.home.mu.Lock()
	if f.landed {
		f.home.mu.Unlock()
		fn(f.value, f.err)
		return func() {}
	}
	c := &call[T]{fn: fn}
	f.calls = append(f.calls, c)
	f.home.mu.Unlock()
	return func() {
		if c.settled.CompareAndSwap(false, true) {
			f.forget()
			f.leave()
		}
	}
}

// forget counts a call that has left, and lets go of such calls now and then: a long flight
// may see many come and go.
func (f *Flight[T]) forget() {
	const many = 16
	f.home.mu.Lock()
	defer f.home.mu.Unlock()
	if f.gone++; len(f.calls) >= many && f.gone > len(f.calls)/2 {
		f.calls = slices.DeleteFunc(f.calls, func(c *call[T]) bool { return c.settled.Load() })
		f.gone = 0
	}
}

// Leave is for a counted waiter that will call neither Wait nor Then.
func (f *Flight[T]) Leave() { f.leave() }

// leave takes one waiter off, and reports whether the flight was still under way.
func (f *Flight[T]) leave() bool {
	f.home.mu.Lock()
	if f.landed {
		f.home.mu.Unlock()
		return false
	}
	f.waiters--
	if f.waiters > 0 || f.pinned || f.abandoned {
		idle := f.onIdle
		if f.waiters > 0 || !f.abandoned {
			idle = nil
		}
		f.home.mu.Unlock()
		if idle != nil {
			idle()
		}
		return true
	}
	f.abandoned = true
	if !f.lingers {
		f.home.detach(f)
	}
	cancel, onAbandon := f.cancel, f.onAbandon
	f.onAbandon = nil
	f.home.mu.Unlock()
	if cancel != nil {
		cancel(ErrAbandoned)
	}
	if onAbandon != nil {
		onAbandon()
	}
	return true
}

// OnAbandon has fn called when the last waiter leaves before the landing, by the
// goroutine of that waiter; at once if it has left already. It is for work that
// is not a goroutine with a context. A later OnAbandon takes the place of an earlier one.
func (f *Flight[T]) OnAbandon(fn func()) {
	f.home.mu.Lock()
	gone := f.abandoned && !f.landed
	if !f.landed && !f.abandoned {
		f.onAbandon = fn
	}
	f.home.mu.Unlock()
	if gone {
		fn()
	}
}

// Waiters returns how many wait for the flight.
func (f *Flight[T]) Waiters() int {
	f.home.mu.Lock()
	defer f.home.mu.Unlock()
	return f.waiters
}

// Pinned reports whether the flight goes on without waiters.
func (f *Flight[T]) Pinned() bool {
	f.home.mu.Lock()
	defer f.home.mu.Unlock()
	return f.pinned
}

// Pin lets the flight go on without waiters, for a load in the background. It
// does not revive one that was abandoned before, but one that lingers can be resumed for it.
func (f *Flight[T]) Pin() {
	f.home.mu.Lock()
	defer f.home.mu.Unlock()
	f.pinned = true
}

// Linger lets callers join the flight after it has been abandoned, too, until it lands: for
// work that may not heed its context, so that those who come and go do not start
// it over and over beside itself. Who lands such a flight with no more than the end of its
// context asks Resume first.
//
// idle, if not nil, is called when the last of those who came after that leaves, by the
// goroutine of that waiter, each time: the context, which has ended, cannot tell it.
func (f *Flight[T]) Linger(idle func()) {
	f.home.mu.Lock()
	defer f.home.mu.Unlock()
	f.lingers, f.onIdle = true, idle
}

// Resume reports whether the flight had been abandoned and is wanted again: somebody waits for
// it, or has pinned it. Then it is abandoned no longer: it has a new Context, for work that
// begins anew. Else nobody joins it from now on. Only the leader calls it.
func (f *Flight[T]) Resume() bool {
	f.home.mu.Lock()
	defer f.home.mu.Unlock()
	if !f.abandoned || f.landed {
		return false
	}
	if f.waiters == 0 && !f.pinned {
		f.home.detach(f)
		return false
	}
	f.abandoned, f.lingers, f.onIdle = false, false, nil
	f.ctx, f.cancel = nil, nil
	return true
}

// Context returns the context for the work of the flight. It has no deadline and
// no caller's values. It is cancelled, with ErrAbandoned as its cause, when the
// last waiter has left, unless the flight is pinned; and after the landing.
func (f *Flight[T]) Context() context.Context {
	f.home.mu.Lock()
	defer f.home.mu.Unlock()
	if f.ctx == nil {
		f.ctx, f.cancel = context.WithCancelCause(context.Background())
		switch {
		case f.abandoned:
			f.cancel(ErrAbandoned)
		case f.landed:
			f.cancel(nil)
		}
	}
	return f.ctx
}

// Land ends the flight: everyone who waits gets the result. The first landing
// counts; Land reports whether this one was it. A flight that was detached or
// abandoned can land too.
func (f *Flight[T]) Land(value T, err error) bool {
	f.home.mu.Lock()
	if f.landed {
		f.home.mu.Unlock()
		return false
	}
	f.landed = true
	f.value, f.err = value, err
	f.home.detach(f)
	taken, shared, calls, cancel := f.taken, f.shared, f.calls, f.cancel
	f.calls, f.onAbandon, f.onIdle, f.gone = nil, nil, nil, 0
	f.home.mu.Unlock()

	// Outside the lock from here on, so that calls may use any flight. They come first: what
	// they begin, as an answer to another process, goes on beside the waking of many here.
	for _, c := range calls {
		if c.settled.CompareAndSwap(false, true) {
			c.fn(value, err)
		}
	}
	if taken {
		f.own <- struct{}{} // it has a place
	}
	if shared != nil {
		close(shared)
	}
	if cancel != nil {
		cancel(nil)
	}
	return true
}

// Done is for who will not touch the flight any more: a waiter after Wait has given it
// the result and it is done with that, and the leader after Land; each once. When all
// have said so, the flight's memory serves another. Nobody has to: a flight that not all
// are done with is left to the garbage collector.
func (f *Flight[T]) Done() {
	if f.users.Add(-1) != 0 || !f.landed {
		return
	}
	if f.Companion != nil {
		f.Companion.Clear()
	}
	*f = Flight[T]{Companion: f.Companion, group: f.group, own: f.own}
	f.group.free.Put(f)
}

// stripe holds the attached flights of some of the keys, and guards their state.
// Its lock is the only one here, and nothing foreign but JoinIf's question is
// called with it held.
type stripe[T any] struct {
	mu      sync.Mutex
	flights table[T] // guarded by mu
	_       [24]byte // a cache line each, so that stripes do not slow each other down
}

// joined counts one more waiter. home.mu is held.
func (f *Flight[T]) joined() {
	f.waiters++
	f.users.Add(1)
}

// start attaches a flight with one waiter. mu is held.
func (s *stripe[T]) start(g *Flights[T], h uint64, key string) *Flight[T] {
	f, _ := g.free.Get().(*Flight[T])
	if f == nil {
		f = &Flight[T]{group: g}
	}
	f.home, f.key, f.hash, f.waiters = s, key, h, 1
	f.users.Store(2) // who waits, and who leads
	f.attached.Store(true)
	s.flights.put(f)
	return f
}

// detach lets nobody join f any more. mu is held.
func (s *stripe[T]) detach(f *Flight[T]) {
	if f.attached.Load() {
		f.attached.Store(false)
		s.flights.remove(f)
	}
}
