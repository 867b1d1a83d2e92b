package main

import (
	"errors"
	"sync"
	"time"

	"github.com/cachemesh/cachemesh/mesh"
)

// benchTally is what a caller has seen, or a few that share it. There are many, so
// that counting costs the others nothing.
type benchTally struct {
	mu            sync.Mutex // guards the rest: callers write, the progress line reads
	bySource      [mesh.Bypass + 1]latencies
	notFound      latencies
	stale         uint64 // of the answers
	bytes         uint64 // of the values
	invalidations latencies
	failed        map[string]failures // by kind
	unfinished    int                 // operations cut off at the end
}

// failures are the errors of one kind.
type failures struct {
	n     uint64
	first error
}

// record counts an operation that has ended. It reports whether it did what it
// should.
func (t *benchTally) record(op operation, e mesh.Entry[[]byte], took time.Duration, err error) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case errors.Is(err, mesh.ErrNotFound):
		t.notFound.record(took)
	case err != nil:
		t.fail(kindOf(err), failures{1, err})
		return false
	case op == invalidate:
		t.invalidations.record(took)
	default:
		if e.Source > mesh.Bypass {
			e.Source = 0
		}
		t.bySource[e.Source].record(took)
		t.bytes += uint64(len(e.Value))
		if e.Stale {
			t.stale++
		}
	}
	return true
}

func (t *benchTally) cut() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unfinished++
}

func (t *benchTally) fail(kind string, f failures) {
	if t.failed == nil {
		t.failed = map[string]failures{}
	}
	known := t.failed[kind]
	known.n += f.n
	if known.first == nil {
		known.first = f.first
	}
	t.failed[kind] = known
}

// add adds what another has seen.
func (t *benchTally) add(o *benchTally) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range t.bySource {
		t.bySource[i].add(&o.bySource[i])
	}
	t.notFound.add(&o.notFound)
	t.stale += o.stale
	t.bytes += o.bytes
	t.invalidations.add(&o.invalidations)
	for kind, f := range o.failed {
		t.fail(kind, f)
	}
	t.unfinished += o.unfinished
}

// reads is the latencies of the reads that were answered, with a value or with
// "not found".
func (t *benchTally) reads() *latencies {
	sum := t.notFound
	for i := range t.bySource {
		sum.add(&t.bySource[i])
	}
	return &sum
}

// benchCounts are what rates are made of.
type benchCounts struct{ reads, notFound, invalidations, errors, bytes uint64 }

func (c benchCounts) operations() uint64 { return c.reads + c.invalidations + c.errors }

func (t *benchTally) counts() benchCounts {
	c := benchCounts{notFound: t.notFound.n, invalidations: t.invalidations.n, bytes: t.bytes, reads: t.notFound.n}
	for i := range t.bySource {
		c.reads += t.bySource[i].n
	}
	for _, f := range t.failed {
		c.errors += f.n
	}
	return c
}
