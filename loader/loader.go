package loader

import (
	"context"
	"math"
	"time"
)

// NoExpiry, as an Item's TTL, is for values that never change.
const NoExpiry time.Duration = math.MaxInt64

// Loader gets values from the origin. Its methods are called concurrently.
type Loader[V any] interface {
	// Load returns the item of the key, or an error for which
	// errors.Is(err, ErrNotFound) holds if the origin has none. It should
	// return soon after ctx is done, which it is when nobody waits any more:
	// who asks for the key meanwhile waits for its return. ctx carries no values
	// of any caller: the load is for everyone who waits.
	Load(ctx context.Context, req Request[V]) (Item[V], error)
}

// BatchLoader is a Loader that can load several keys at once.
type BatchLoader[V any] interface {
	Loader[V]

	// LoadMany returns items by key. A key that is absent from them is not
	// found. A *KeysError fails the keys it names and no others, whose items
	// come with it; any other error fails all keys.
	LoadMany(ctx context.Context, reqs []Request[V]) (map[string]Item[V], error)
}

// Request says what to load.
type Request[V any] struct {
	// Key is any string of bytes.
	Key string

	// Prev is the item as it was last loaded, now expired, for an origin that
	// can be asked whether it has changed; nil if there is none. The loader may
	// read it and must not modify it.
	Prev *Item[V]
}

// Item is what a load yields.
type Item[V any] struct {
	// Value is shared with all readers from here on: nobody modifies it.
	Value V

	// TTL is how long the value may be kept. 0 means as long as the cache keeps
	// values; NoExpiry is for ever; a negative TTL is expired at once, so that
	// the item serves only as the Prev of the next load.
	TTL time.Duration

	// Tags name groups of keys that can be invalidated together: up to 256,
	// each of 1 to 1,024 bytes.
	Tags []string

	// ETag identifies the value at the origin, for a conditional load. Up to
	// 4 KiB.
	ETag string

	// Version orders the values of a key, if the origin numbers them: an older
	// one never replaces a newer one. 0 means that it does not.
	Version uint64

	// NotModified says that Prev is still right; Value is then ignored. Only a
	// load that was given Prev may say so.
	NotModified bool

	// NoStore means: answer those who wait with the value, and keep nothing.
	NoStore bool
}
