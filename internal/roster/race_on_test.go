//go:build race

package roster

// raced is true under the race detector, which makes sync.Pool forget: ristretto
// then counts no uses, and its reads allocate.
const raced = true
