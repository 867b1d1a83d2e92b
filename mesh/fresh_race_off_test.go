//go:build !race

package mesh_test

// raceDetector: it makes sync.Pool forget at random, which shows as allocations.
const raceDetector = false
