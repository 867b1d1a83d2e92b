package loader

import (
	"context"
	"errors"
	"runtime/debug"
)

// Safely calls l.Load and returns a *PanicError if it, or a method of its error, panics or
// calls runtime.Goexit. It returns when the load does, which runs in a goroutine of
// its own: a Goexit would end the caller's. A nil l is ErrNoLoader.
func Safely[V any](ctx context.Context, l Loader[V], req Request[V]) (Item[V], error) {
	if l == nil {
		return Item[V]{}, ErrNoLoader
	}
	return apart(func() (Item[V], error) {
		item, err := l.Load(ctx, req)
		return item, sound(err)
	})
}

// SafelyMany is Safely for l.LoadMany.
func SafelyMany[V any](ctx context.Context, l BatchLoader[V], reqs []Request[V]) (map[string]Item[V], error) {
	if l == nil {
		return nil, ErrNoLoader
	}
	return apart(func() (map[string]Item[V], error) {
		items, err := l.LoadMany(ctx, reqs)
		return items, sound(err)
	})
}

// sound is err, once it has shown that it can be told and compared. One that panics, as a nil
// pointer of an error type may, does so as part of the load, and not of whoever is told of it.
func sound(err error) error {
	if err == nil {
		return nil
	}
	errors.Is(err, ErrNotFound)
	_ = err.Error()
	var keys *KeysError
	if errors.As(err, &keys) {
		for _, of := range keys.Unwrap() {
			_ = of.Error()
		}
	}
	return err
}

// apart calls fn in a goroutine of its own and waits for it.
func apart[T any](fn func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go guarded(fn, func(value T, err error) { done <- result{value, err} })
	r := <-done
	return r.value, r.err
}

// guarded calls fn, then done with what fn returned, or with a *PanicError if it
// did not return. It must be the first function of its goroutine, which a Goexit
// ends; done is called even then.
func guarded[T any](fn func() (T, error), done func(T, error)) {
	var (
		value    T
		err      error
		returned bool
	)
	defer func() {
		if !returned {
			// Since Go 1.21 recover returns nil only if nothing panicked.
			cause := recover()
			if cause == nil {
				cause = ErrGoexit
			}
			var zero T
			value, err = zero, &PanicError{Value: cause, Stack: debug.Stack()}
		}
		done(value, err)
	}()
	value, err = fn()
	returned = true
}
