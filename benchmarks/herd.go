package main

import (
	"context"
	"fmt"
	"time"
)

const herdTitle = "A herd of 10,000"

// herds lets 10,000 callers on four members ask for one key that nobody has.
func herds(ctx context.Context, p plan) ([]table, error) {
	const members, all, delay = 4, 10_000, 50 * time.Millisecond
	t := table{
		Title: herdTitle,
		Text: "10,000 callers over 4 member processes ask for one cold key at the same moment; its load takes 50 ms. " +
			"The time is from that moment to the last answer.",
		Columns: []string{"loads, the most", "time"},
	}
	kinds := []kind{meshReplicas, groupcacheHot}
	fleets := make([]*fleet, len(kinds))
	for i, k := range kinds {
		f, err := newFleet(ctx, k, members, 64<<20, delay)
		if err != nil {
			return nil, err
		}
		defer f.stop()
		fleets[i] = f
	}
	took, loads := make([]sample, len(kinds)), make([]sample, len(kinds))
	for round := range upTo(ctx, pick(p, 11, 3), 1) {
		for i := range kinds {
			at := (i + round) % len(kinds)
			p.note("herd: round %d: %s", round+1, kinds[at].name)
			t, n, err := stampede(ctx, fleets[at], all/members, round)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", kinds[at].name, err)
			}
			took[at], loads[at] = append(took[at], t), append(loads[at], n)
		}
	}
	for i, k := range kinds {
		_, most := loads[i].spread()
		t.Rows = append(t.Rows, row{Name: k.name, Cells: []cell{loads[i].keep(count(most)), took[i].spreadCell("%.0f", " ms")}})
	}
	return []table{t}, nil
}

// stampede is one herd: how many milliseconds it took, and how many loads.
func stampede(ctx context.Context, f *fleet, callers, round int) (took, loads float64, err error) {
	before, _, err := f.totals(ctx)
	if err != nil {
		return 0, 0, err
	}
	at := time.Now().Add(250 * time.Millisecond) // enough to start the callers
	replies, err := askAll(ctx, f.members, command{Do: "herd", Callers: callers, Size: 1 << 10, Prefix: fmt.Sprintf("herd-%d-", round), At: at})
	if err != nil {
		return 0, 0, err
	}
	last := at
	for _, r := range replies {
		if r.Ended.After(last) {
			last = r.Ended
		}
	}
	after, _, err := f.totals(ctx)
	return float64(last.Sub(at)) / float64(time.Millisecond), after - before, err
}
