package main

import (
	"context"
	"fmt"
	"time"
)

const restTitle = "More members: at rest"

// invalidationCosts measures what an invalidation costs that every member
// confirms, and what a mesh costs in which nothing happens.
func invalidationCosts(ctx context.Context, p plan) ([]table, error) {
	const packed = " A process holds five members at most here, each with a connection of its own"
	told := table{
		Title:   "More members: invalidations",
		Text:    "Invalidate returns when every member has confirmed." + packed + "; callers at the same time share messages.",
		Columns: []string{"processes", "1 caller, p50", "p99", "invalidations/s", "64 callers, p50", "p99", "invalidations/s"},
	}
	rest := table{
		Title: restTitle,
		Text: "What one member receives while nobody reads or invalidates: the heartbeats of all others, at the default of one a second." + packed +
			". CPU time is that of the members' processes, of the nats-server's part nothing.",
		Columns: []string{"messages/s a member", "KiB/s a member", "CPU ms/s a member"},
	}
	for _, members := range pick(p, []int{3, 10, 50}, []int{3, 10}) {
		p.note("invalidate: %d members", members)
		if err := invalidationCost(ctx, p, members, &told, &rest); err != nil {
			return nil, fmt.Errorf("%d members: %w", members, err)
		}
	}
	return []table{told, rest}, nil
}

func invalidationCost(ctx context.Context, p plan, members int, told, rest *table) error {
	var f family
	defer f.stop()
	broker, err := f.add(ctx, spec{System: "nats-server"})
	if err != nil {
		return err
	}
	each := 5
	if members < 2*each {
		each = 1
	}
	var specs []spec
	for left := members; left > 0; left -= each {
		specs = append(specs, spec{System: "mesh", ID: fmt.Sprintf("m%02d", left), URL: broker.addr, Members: min(each, left), MaxBytes: 16 << 20})
	}
	children, err := f.addAll(ctx, specs)
	if err != nil {
		return err
	}
	if _, err := askAll(ctx, children, command{Do: "settle", Want: members}); err != nil {
		return err
	}
	name := fmt.Sprintf("%d members", members)
	cells, err := restCost(ctx, children, members, pick(p, 5*time.Second, 2*time.Second))
	if err != nil {
		return err
	}
	rest.Rows = append(rest.Rows, row{Name: name, Cells: cells})
	cells = []cell{count(float64(len(children)))}
	for _, callers := range []int{1, 64} {
		var p50, p99, rate sample
		for round := range min(p.rounds, 3) {
			r, err := children[0].ask(ctx, command{Do: "invalidate", Callers: callers, For: max(p.slice, 500*time.Millisecond), Keys: 10_000, Size: 1 << 10, Seed: uint64(round)})
			if err != nil {
				return err
			}
			p50, p99 = append(p50, us(r.P50)), append(p99, us(r.P99))
			rate = append(rate, float64(r.Gets)/r.Took.Seconds())
		}
		cells = append(cells, p50.micros(), p99.micros(), rate.count())
	}
	told.Rows = append(told.Rows, row{Name: name, Cells: cells})
	return nil
}

// restCost looks at what comes in and what CPU time goes while nothing is asked.
func restCost(ctx context.Context, children []*child, members int, d time.Duration) ([]cell, error) {
	before, err := askAll(ctx, children, command{Do: "usage"})
	if err != nil {
		return nil, err
	}
	began := time.Now()
	select {
	case <-time.After(d):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	after, err := askAll(ctx, children, command{Do: "usage"})
	if err != nil {
		return nil, err
	}
	var messages, bytes, cpu float64
	for i := range children {
		messages += float64(after[i].Messages - before[i].Messages)
		bytes += float64(after[i].Bytes - before[i].Bytes)
		cpu += float64(after[i].CPU-before[i].CPU) / float64(time.Millisecond)
	}
	per := float64(members) * time.Since(began).Seconds()
	return []cell{number(messages/per, "%.1f"), number(bytes/per/1024, "%.1f"), number(cpu/per, "%.2f")}, nil
}
