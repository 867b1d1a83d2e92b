package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// kind is a way to share a cache among the processes of a service.
type kind struct {
	name     string
	system   string
	replicas bool // a part of the memory is for other owners' values
}

var (
	meshAlone      = kind{"cachemesh without replicas", "mesh", false}
	meshReplicas   = kind{"cachemesh", "mesh", true}
	groupcacheCold = kind{"groupcache without hot cache", "groupcache without hot cache", false}
	groupcacheHot  = kind{"groupcache", "groupcache", true}
)

// fleet is members of one kind, each a process.
type fleet struct {
	family
	broker  *child // nil for those without
	members []*child
}

// newFleet starts members and waits until they know each other. Each has that
// much memory in all.
func newFleet(ctx context.Context, k kind, members int, bytes int64, delay time.Duration) (*fleet, error) {
	f := &fleet{}
	if err := f.open(ctx, k, members, bytes, delay); err != nil {
		f.stop()
		return nil, fmt.Errorf("%s: %w", k.name, err)
	}
	return f, nil
}

func (f *fleet) open(ctx context.Context, k kind, members int, bytes int64, delay time.Duration) (err error) {
	s := spec{System: k.system, MaxBytes: bytes, LoadDelay: delay}
	if k.system == "mesh" {
		if f.broker, err = f.add(ctx, spec{System: "nats-server"}); err != nil {
			return err
		}
		s.URL = f.broker.addr
		if k.replicas {
			s.ReplicaBytes = bytes / 9 // the eighth of the rest that is the default
			s.MaxBytes = bytes - s.ReplicaBytes
		}
	}
	specs := slices.Repeat([]spec{s}, members)
	for i := range specs {
		specs[i].ID = fmt.Sprintf("m%02d", i)
	}
	if f.members, err = f.addAll(ctx, specs); err != nil {
		return err
	}
	var addrs []string
	for _, c := range f.members {
		addrs = append(addrs, c.addr)
	}
	if _, err = askAll(ctx, f.members, command{Do: "peers", Peers: addrs}); err != nil {
		return err
	}
	_, err = askAll(ctx, f.members, command{Do: "settle", Want: members})
	return err
}

// totals sums what the members say of themselves; served is by member.
func (f *fleet) totals(ctx context.Context) (loads float64, served []float64, err error) {
	replies, err := askAll(ctx, f.members, command{Do: "usage"})
	for _, r := range replies {
		loads += float64(r.Loads)
		served = append(served, float64(r.Served))
	}
	return loads, served, err
}
