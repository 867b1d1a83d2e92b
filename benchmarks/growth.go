package main

import (
	"context"
	"fmt"
	"time"
)

const startTitle = "More members: start"

// memberCosts measures what a get, a start and the choice of an owner cost as
// members become more.
func memberCosts(ctx context.Context, p plan) ([]table, error) {
	gets := table{
		Title: "More members: gets",
		Text: "One more process, a Reader that keeps nothing, gets random ones of 20,000 resident values of 1 KiB: all of them are remote. " +
			"Each owner is a process, and they share this machine's processors: the more owners, the fewer gets travel together.",
		Columns: []string{"1 caller, p50", "p99", "64 callers, gets/s", "p50", "p99"},
	}
	starts := table{
		Title: startTitle,
		Text: "A program that is connected to NATS joins the same mesh, opens the cache and gets a value that another member holds: the time from " +
			"the call of Join to the answer. It leaves again, and another one joins.",
		Columns: []string{"p50", "the slowest", "joins"},
	}
	for _, members := range pick(p, []int{2, 4, 8, 16}, []int{2, 4}) {
		p.note("members: %d", members)
		get, start, err := memberCost(ctx, p, members)
		if err != nil {
			return nil, fmt.Errorf("%d members: %w", members, err)
		}
		name := fmt.Sprintf("%d members", members)
		gets.Rows = append(gets.Rows, row{Name: name, Cells: get})
		starts.Rows = append(starts.Rows, row{Name: name, Cells: start})
	}
	owners, err := ownerLookups(ctx, p)
	return []table{gets, starts, owners}, err
}

func memberCost(ctx context.Context, p plan, members int) (get, start []cell, err error) {
	f, err := newFleet(ctx, meshAlone, members, 64<<20, 0)
	if err != nil {
		return nil, nil, err
	}
	defer f.stop()
	reader, err := f.add(ctx, spec{System: "mesh", ID: "caller", URL: f.broker.addr, Reader: true})
	if err != nil {
		return nil, nil, err
	}
	if _, err := reader.ask(ctx, command{Do: "settle", Want: members + 1}); err != nil {
		return nil, nil, err
	}
	if _, err := reader.ask(ctx, residents(load{1, 1 << 10}, "warm")); err != nil {
		return nil, nil, err
	}
	var p50, p99, rate, busy50, busy99 sample
	for round := range min(p.rounds, 7) {
		run := residents(load{1, 1 << 10}, "closed")
		run.For, run.Seed = p.slice, uint64(round)
		r, err := reader.ask(ctx, run)
		if err != nil {
			return nil, nil, err
		}
		p50, p99 = append(p50, us(r.P50)), append(p99, us(r.P99))
		run.Callers = 64
		if r, err = reader.ask(ctx, run); err != nil {
			return nil, nil, err
		}
		rate = append(rate, float64(r.Gets)/r.Took.Seconds())
		busy50, busy99 = append(busy50, us(r.P50)), append(busy99, us(r.P99))
	}
	get = []cell{p50.micros(), p99.micros(), rate.count(), busy50.micros(), busy99.micros()}
	start, err = startCost(ctx, p, f.members)
	return get, start, err
}

// startCost lets a new member join again and again, in the process of one of
// those that are there.
func startCost(ctx context.Context, p plan, members []*child) ([]cell, error) {
	var took sample
	for range pick(p, 11, 3) {
		c := residents(load{1, 1 << 10}, "join")
		c.Want = len(members) + 1 // the reader is not asked
		r, err := members[0].ask(ctx, c)
		if err != nil {
			return nil, err
		}
		took = append(took, float64(r.Took)/float64(time.Millisecond))
	}
	_, slowest := took.spread()
	return []cell{took.number("%.0f ms"), number(slowest, "%.0f ms"), count(float64(len(took)))}, nil
}
