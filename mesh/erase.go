package mesh

import (
	"context"

	"github.com/cachemesh/cachemesh/loader"
)

// erase forgets the type of c's loader.
func erase[V any](c *core, from loader.Loader[V]) erased {
	e := erased{one: func(ctx context.Context, key string, prev *storeValue) (loadedItem, error) {
		item, err := loader.Safely(ctx, from, request[V](c, key, prev))
		if err != nil {
			return loadedItem{}, err
		}
		return forgetType(item), nil
	}}
	if many, ok := from.(loader.BatchLoader[V]); ok {
		e.many = func(ctx context.Context, ls []*loading) (map[string]loadedItem, error) {
			reqs := make([]loader.Request[V], len(ls))
			for i, l := range ls {
				reqs[i] = request[V](c, l.f.Key(), l.prev)
			}
			items, err := loader.SafelyMany(ctx, many, reqs)
			out := make(map[string]loadedItem, len(items))
			for key, item := range items {
				out[key] = forgetType(item)
			}
			return out, err
		}
	}
	return e
}

// request is a question to the origin; prev is what was held, nil for nothing.
func request[V any](c *core, key string, prev *storeValue) loader.Request[V] {
	req := loader.Request[V]{Key: key}
	if prev != nil {
		if value, err := decoded[V](c, prev); err == nil {
			req.Prev = &loader.Item[V]{Value: value, ETag: prev.ETag, Version: prev.Version, Tags: prev.Tags}
		}
	}
	return req
}

func forgetType[V any](item loader.Item[V]) loadedItem {
	return loadedItem{value: item.Value, meta: loader.Item[struct{}]{
		TTL: item.TTL, Tags: item.Tags, ETag: item.ETag, Version: item.Version,
		NotModified: item.NotModified, NoStore: item.NoStore,
	}}
}
