package store

import "sync"

const (
	stripeBits = 5
	stripes    = 1 << stripeBits
	fillLists  = 64 // of a stripe
)

// stripe holds what the store knows of the keys that hash to it.
type stripe struct {
	values index

	mu    sync.Mutex       // guards fills, and orders all that changes what is kept for a key
	fills [fillLists]*Fill // the open fills, a list for each bucket of hashes
	_     [64]byte         // keeps readers off the cache line that others write
}
