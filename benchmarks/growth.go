package main

import (
	"context"
	"fmt"
	"time"
)

// memberCosts measures what a get costs as members become more.
func memberCosts(ctx context.Context, p plan) ([]table, error) {
	t := table{
		Title: "More members: gets",
		Text: "One more process, a Reader that keeps nothing, gets random ones of 20,000 resident values of 1 KiB: all of them are remote. " +
			"Each owner is a process, and they share this machine's processors: the more owners, the fewer gets travel together.",
		Columns: []string{"1 caller, p50", "p99", "64 callers, gets/s", "p50", "p99"},
	}
	for _, members := range pick(p, []int{2, 4, 8, 16}, []int{2, 4}) {
		p.note("members: %d", members)
		cells, err := memberCost(ctx, p, members)
		if err != nil {
			return nil, fmt.Errorf("%d members: %w", members, err)
		}
		t.Rows = append(t.Rows, row{Name: fmt.Sprintf("%d members", members), Cells: cells})
	}
	return []table{t}, nil
}

func memberCost(ctx context.Context, p plan, members int) ([]cell, error) {
	f, err := newFleet(ctx, meshAlone, members, 64<<20, 0)
	if err != nil {
		return nil, err
	}
	defer f.stop()
	reader, err := f.add(ctx, spec{System: "mesh", ID: "caller", URL: f.broker.addr, Reader: true})
	if err != nil {
		return nil, err
	}
	if _, err := reader.ask(ctx, command{Do: "settle", Want: members + 1}); err != nil {
		return nil, err
	}
	if _, err := reader.ask(ctx, residents(load{1, 1 << 10}, "warm")); err != nil {
		return nil, err
	}
	var p50, p99, rate, busy50, busy99 sample
	for round := range min(p.rounds, 3) {
		run := residents(load{1, 1 << 10}, "closed")
		run.For, run.Seed = p.slice, uint64(round)
		r, err := reader.ask(ctx, run)
		if err != nil {
			return nil, err
		}
		p50, p99 = append(p50, us(r.P50)), append(p99, us(r.P99))
		run.Callers = 64
		if r, err = reader.ask(ctx, run); err != nil {
			return nil, err
		}
		rate = append(rate, float64(r.Gets)/r.Took.Seconds())
		busy50, busy99 = append(busy50, us(r.P50)), append(busy99, us(r.P99))
	}
	return []cell{micros(p50.median()), micros(p99.median()), count(rate.median()), micros(busy50.median()), micros(busy99.median())}, nil
}

// invalidationCosts measures what an invalidation costs that every member confirms.
func invalidationCosts(ctx context.Context, p plan) ([]table, error) {
	t := table{
		Title: "More members: invalidations",
		Text: "Invalidate returns when every member has confirmed. A process holds five members at most here, each with a connection of its own; " +
			"callers at the same time share messages.",
		Columns: []string{"processes", "1 caller, p50", "p99", "invalidations/s", "64 callers, p50", "p99", "invalidations/s"},
	}
	for _, members := range pick(p, []int{3, 10, 50}, []int{3, 10}) {
		p.note("invalidate: %d members", members)
		cells, err := invalidationCost(ctx, p, members)
		if err != nil {
			return nil, fmt.Errorf("%d members: %w", members, err)
		}
		t.Rows = append(t.Rows, row{Name: fmt.Sprintf("%d members", members), Cells: cells})
	}
	return []table{t}, nil
}

func invalidationCost(ctx context.Context, p plan, members int) ([]cell, error) {
	var f family
	defer f.stop()
	broker, err := f.add(ctx, spec{System: "nats-server"})
	if err != nil {
		return nil, err
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
		return nil, err
	}
	if _, err := askAll(ctx, children, command{Do: "settle", Want: members}); err != nil {
		return nil, err
	}
	cells := []cell{count(float64(len(children)))}
	for _, callers := range []int{1, 64} {
		var p50, p99, rate sample
		for round := range min(p.rounds, 2) {
			r, err := children[0].ask(ctx, command{Do: "invalidate", Callers: callers, For: max(p.slice, 500*time.Millisecond), Keys: 10_000, Size: 1 << 10, Seed: uint64(round)})
			if err != nil {
				return nil, err
			}
			p50, p99 = append(p50, us(r.P50)), append(p99, us(r.P99))
			rate = append(rate, float64(r.Gets)/r.Took.Seconds())
		}
		cells = append(cells, micros(p50.median()), micros(p99.median()), count(rate.median()))
	}
	return cells, nil
}
