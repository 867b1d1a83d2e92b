//go:build race

package store

// raced is true under the race detector, whose own bookkeeping counts as heap.
const raced = true
