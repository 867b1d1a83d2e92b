package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// scenario is one way of trying to break a mesh.
type scenario struct {
	name, fault string
	run         func(*trial) error
}

// scenarioLimit bounds a scenario, whatever happens in it.
const scenarioLimit = 4 * time.Minute

var scenarios = []scenario{
	{"kill-idle", "an owner is killed (SIGKILL)", killIdle},
	{"kill-loading", "an owner is killed (SIGKILL) while it loads for others", killLoading},
	{"stop", "an owner is stopped (SIGSTOP) for longer than a lease, and goes on", stop},
	{"server-restart", "the one nats-server is killed and comes back after two leases", serverRestart},
	{"cluster-kill", "one nats-server of three is killed and comes back", clusterKill},
	{"lame-duck", "one nats-server of three goes in lame duck mode", lameDuck},
	{"route-cut", "a black hole between two nats-servers of three", routeCut},
	{"black-hole", "a black hole between a member and the one nats-server", blackHole},
	{"partition", "one nats-server of three and its members are cut off, bounded mode", partition},
	{"fence", "the same in fence mode, with a quorum of 3 in 5", fence},
	{"outage", "no nats-server for long, under load", outage},
	{"slow-consumer", "a member holds 100 messages at most, and stands still while the others invalidate", slowConsumer},
	{"rolling", "a rolling restart of five members", rolling},
	{"invalidate", "none: ten members, invalidations only", invalidating},
	{"churn", "members join and leave, one thousand times", churn},
}

// errNoSuch is returned when -only names no scenario.
var errNoSuch = errors.New("no such scenario")

func chosen(only string) ([]scenario, error) {
	if only == "" {
		return scenarios, nil
	}
	var list []scenario
	var names []string
	for _, s := range scenarios {
		names = append(names, s.name)
	}
	for name := range strings.SplitSeq(only, ",") {
		found := false
		for _, s := range scenarios {
			if s.name == strings.TrimSpace(name) {
				list, found = append(list, s), true
			}
		}
		if !found {
			return nil, fmt.Errorf("%w: %q: there are %s", errNoSuch, name, strings.Join(names, ", "))
		}
	}
	return list, nil
}

// try runs a scenario to its end and gives its row, whatever happened.
func (s scenario) try(ctx context.Context, o options) row {
	r := row{Name: s.name, Fault: s.fault}
	ctx, cancel := context.WithTimeoutCause(ctx, scenarioLimit, fmt.Errorf("not done within %v", scenarioLimit))
	defer cancel()
	f, err := newFleet(ctx, s.name, o)
	if err != nil {
		r.Err = err.Error()
		return r
	}
	t := &trial{fleet: f, row: &r}
	err = s.run(t)
	switch {
	case errors.Is(err, errNoNamespaces):
		r.Skipped = err.Error()
	case err != nil:
		r.Err = err.Error()
	}
	keep := o.keep || r.missed() || len(r.Other) > 0
	f.close(keep)
	if keep {
		fmt.Fprintln(os.Stderr, s.name+": the logs stay in", f.dir)
	}
	r.reads = nil
	return r
}

// missed tells whether the row misses a target.
func (r *row) missed() bool {
	if r.Err != "" {
		return true
	}
	for _, c := range r.Checks {
		if !c.OK {
			return true
		}
	}
	return false
}
