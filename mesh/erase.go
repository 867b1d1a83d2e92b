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
			items, err := loader.SafelyMany(ctx, many, requests[V](c, ls))
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
			req.Prev = &loader.Item[V]{Value: value, ETag: prev.ETag(), Version: prev.Version(), Tags: prev.Tags()}
		}
	}
	return req
}

// requests are the questions of ls. A key that an invalidation has brought twice is asked for
// once, and with a Prev only if that is the same for both.
func requests[V any](c *core, ls []*loading) []loader.Request[V] {
	reqs := make([]loader.Request[V], 0, len(ls))
	first := make(map[string]int, len(ls))
	for n, l := range ls {
		key := l.f.Key()
		i, twice := first[key]
		switch {
		case !twice:
			first[key] = n
			reqs = append(reqs, request[V](c, key, l.prev))
		case ls[i].prev != l.prev:
			for k := range reqs {
				if reqs[k].Key == key {
					reqs[k].Prev = nil
				}
			}
		}
	}
	return reqs
}

func forgetType[V any](item loader.Item[V]) loadedItem {
	return loadedItem{value: item.Value, meta: loader.Item[struct{}]{
		TTL: item.TTL, Tags: item.Tags, ETag: item.ETag, Version: item.Version,
		NotModified: item.NotModified, NoStore: item.NoStore,
	}}
}
