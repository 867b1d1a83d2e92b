package loader

import (
	"context"
	"errors"
)

// Func is a Loader made of a function that sees the whole request and can say
// all of an Item, such as a TTL of its own.
type Func[V any] func(ctx context.Context, req Request[V]) (Item[V], error)

// Load calls f. A nil f is an error, ErrNoLoader.
func (f Func[V]) Load(ctx context.Context, req Request[V]) (Item[V], error) {
	if f == nil {
		return Item[V]{}, ErrNoLoader
	}
	return f(ctx, req)
}

// Of makes a Loader of a function that returns the value of a key, or
// ErrNotFound. Of(nil) is nil.
func Of[V any](f func(ctx context.Context, key string) (V, error)) Loader[V] {
	if f == nil {
		return nil
	}
	return Func[V](func(ctx context.Context, req Request[V]) (Item[V], error) {
		v, err := f(ctx, req.Key)
		if err != nil {
			return Item[V]{}, err
		}
		return Item[V]{Value: v}, nil
	})
}

// OfMany makes a BatchLoader of a function that returns the values of keys, by
// key. A key that is absent from its answer is not found, and one that was not
// asked for is ignored. The function may return values with a *KeysError that
// fails some of the keys. OfMany(nil) is nil.
func OfMany[V any](f func(ctx context.Context, keys []string) (map[string]V, error)) BatchLoader[V] {
	if f == nil {
		return nil
	}
	return manyFunc[V](f)
}

type manyFunc[V any] func(ctx context.Context, keys []string) (map[string]V, error)

func (f manyFunc[V]) Load(ctx context.Context, req Request[V]) (Item[V], error) {
	values, err := f(ctx, []string{req.Key})
	if err != nil {
		var some *KeysError
		if !errors.As(err, &some) {
			return Item[V]{}, err
		}
		if some != nil && some.Errs[req.Key] != nil {
			return Item[V]{}, some.Errs[req.Key]
		}
	}
	v, found := values[req.Key]
	if !found {
		return Item[V]{}, ErrNotFound
	}
	return Item[V]{Value: v}, nil
}

func (f manyFunc[V]) LoadMany(ctx context.Context, reqs []Request[V]) (map[string]Item[V], error) {
	keys := make([]string, len(reqs))
	for i, req := range reqs {
		keys[i] = req.Key
	}
	values, err := f(ctx, keys)
	var some *KeysError
	if err != nil && !errors.As(err, &some) {
		return nil, err
	}
	items := make(map[string]Item[V], len(values))
	for _, req := range reqs {
		v, found := values[req.Key]
		if !found || some != nil && some.Errs[req.Key] != nil {
			continue
		}
		items[req.Key] = Item[V]{Value: v}
	}
	return items, err
}
