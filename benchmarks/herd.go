package main

import (
	"context"
	"fmt"
	"time"
)

// herds lets 10,000 callers on four members ask for one key that nobody has.
func herds(ctx context.Context, p plan) ([]table, error) {
	const members, all, delay = 4, 10_000, 50 * time.Millisecond
	t := table{
		Title: "A herd of 10,000",
		Text: "10,000 callers over 4 member processes ask for one cold key at the same moment; its load takes 50 ms. " +
			"The time is from that moment to the last answer.",
		Columns: []string{"loads, the most", "time"},
	}
	for _, k := range []kind{meshReplicas, groupcacheHot} {
		f, err := newFleet(ctx, k, members, 64<<20, delay)
		if err != nil {
			return nil, err
		}
		took, loads, err := stampede(ctx, p, f, k.name, all/members)
		f.stop()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", k.name, err)
		}
		_, most := loads.spread()
		least, slowest := took.spread()
		time := number(took.median(), "%.0f ms")
		time.Text += fmt.Sprintf(" (%.0f to %.0f)", least, slowest)
		time.Least, time.Most = least, slowest
		t.Rows = append(t.Rows, row{Name: k.name, Cells: []cell{count(most), time}})
	}
	return []table{t}, nil
}

func stampede(ctx context.Context, p plan, f *fleet, name string, callers int) (took, loads sample, err error) {
	for round := range pick(p, 7, 3) {
		p.note("herd: %s, round %d", name, round+1)
		before, _, err := f.totals(ctx)
		if err != nil {
			return nil, nil, err
		}
		at := time.Now().Add(250 * time.Millisecond) // enough to start the callers
		replies, err := askAll(ctx, f.members, command{Do: "herd", Callers: callers, Size: 1 << 10, Prefix: fmt.Sprintf("herd-%d-", round), At: at})
		if err != nil {
			return nil, nil, err
		}
		last := at
		for _, r := range replies {
			if r.Ended.After(last) {
				last = r.Ended
			}
		}
		after, _, err := f.totals(ctx)
		if err != nil {
			return nil, nil, err
		}
		took = append(took, float64(last.Sub(at))/float64(time.Millisecond))
		loads = append(loads, after-before)
	}
	return took, loads, nil
}
