package main

import (
	"context"
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
func full() plan  { return plan{rounds: 5, slice: 600 * time.Millisecond} }
func quick() plan { return plan{quick: true, rounds: 1, slice: 200 * time.Millisecond} }

// pick is a for a full run, b for a quick one.
func pick[T any](p plan, a, b T) T {
	if p.quick {
		return b
	}
	return a
}

// group is measurements that belong together and can be run alone.
type group struct {
	name string // what -only calls it
	run  func(ctx context.Context, p plan) ([]table, error)
}

var groups = []group{
	{"remote", remoteGets},
	{"local", localHits},
	{"herd", herds},
	{"zipf", zipfMeshes},
	{"ratio", hitRatios},
	{"members", memberCosts},
	{"invalidate", invalidationCosts},
	{"memory", memoryCosts},
}
