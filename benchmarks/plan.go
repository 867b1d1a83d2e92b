package main

import (
	"context"
	"iter"
	"time"
)

// plan says how thorough a run is.
type plan struct {
	quick  bool
	rounds int           // of each measurement; medians are taken over them
	slice  time.Duration // how long one of them lasts, where time ends it
	note   func(format string, args ...any)
}

// full and quick are the two plans there are.
func full() plan  { return plan{rounds: 11, slice: 800 * time.Millisecond} }
func quick() plan { return plan{quick: true, rounds: 1, slice: 300 * time.Millisecond} }

// pick is a for a full run, b for a quick one.
func pick[T any](p plan, a, b T) T {
	if p.quick {
		return b
	}
	return a
}

// upTo counts rounds from 0 to n, fewer where the next one would not end within a
// share of the time that ctx leaves. There is always one.
func upTo(ctx context.Context, n int, share float64) iter.Seq[int] {
	return func(yield func(int) bool) {
		began := time.Now()
		end, bounded := ctx.Deadline()
		limit := time.Duration(share * float64(end.Sub(began)))
		for i := range n {
			took := time.Since(began)
			if bounded && i > 0 && took+took*5/4/time.Duration(i) > limit {
				return
			}
			if !yield(i) {
				return
			}
		}
	}
}

// group is measurements that belong together and can be run alone.
type group struct {
	name string        // what -only calls it
	most time.Duration // that it takes, whatever happens; all of them together fit into a run
	run  func(ctx context.Context, p plan) ([]table, error)
}

var groups = []group{
	{"remote", 6 * time.Minute, remoteGets},
	{"local", 2 * time.Minute, localHits},
	{"herd", time.Minute, herds},
	{"zipf", 5 * time.Minute, zipfMeshes},
	{"ratio", 3 * time.Minute, hitRatios},
	{"members", 3 * time.Minute, memberCosts},
	{"invalidate", time.Minute, invalidationCosts},
	{"memory", 3 * time.Minute, memoryCosts},
}
