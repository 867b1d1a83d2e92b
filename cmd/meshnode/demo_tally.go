package main

import (
	"sync"

	"github.com/cachemesh/cachemesh/mesh"
)

// tally is what one reader has seen. Each reader has its own, so that counting
// costs the readers nothing; the report adds them up.
type tally struct {
	mu       sync.Mutex // guards the rest: the reader writes, the progress line reads
	bySource [mesh.Bypass + 1]latencies
	outdated int // reads that an Invalidate had forbidden
	checked  int // reads of keys that had been invalidated
	errors   int
	firstErr error
	lost     int       // reads under way on the member that was killed
	death    latencies // reads that were under way at the death, or began within the lease after it
}

// add adds what another has seen.
func (t *tally) add(o *tally) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range t.bySource {
		t.bySource[i].add(&o.bySource[i])
	}
	t.outdated += o.outdated
	t.checked += o.checked
	t.errors += o.errors
	if t.firstErr == nil {
		t.firstErr = o.firstErr
	}
	t.lost += o.lost
	t.death.add(&o.death)
}

// all is the latencies of all reads that were answered.
func (t *tally) all() *latencies {
	var sum latencies
	for i := range t.bySource {
		sum.add(&t.bySource[i])
	}
	return &sum
}
