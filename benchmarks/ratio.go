package main

import (
	"context"
	"fmt"
)

const ratioTitle = "Hit ratio at the same live heap"

// hitRatios compares what a member's memory remembers with what otter does, at
// the same live heap.
func hitRatios(ctx context.Context, p plan) ([]table, error) {
	const budget = 16 << 20
	t := table{
		Title: ratioTitle,
		Text: "One caller reads through one member with MaxBytes 16 MiB and no replicas, in the order that each line names, over 200,000 keys of " +
			"1 KiB. otter's limit is set such that its live heap comes out the same. Scans: 5,000 keys that come once, after each 20,000 gets. " +
			"Drifting: half of the gets are for rows that are the more popular the newer they are, and rows are added.",
		Columns: []string{nameMesh, "otter", "points ahead", "live heap of cachemesh", "of otter"},
	}
	gets := pick(p, 1_500_000, 120_000)
	mine, rival := spec{System: "mesh", ID: "alone", Embed: true, MaxBytes: budget}, spec{System: "otter"}
	base, err := bareHeap(ctx, mine)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", nameMesh, err)
	}
	rivalBase, err := bareHeap(ctx, rival)
	if err != nil {
		return nil, fmt.Errorf("otter: %w", err)
	}
	for _, pattern := range []string{"zipf 1.01", "zipf 1.1", "zipf 1.01 and scans", "zipf 1.1 and scans", "drifting"} {
		p.note("ratio: %s", pattern)
		ours, heap, err := hitRatio(ctx, mine, base, pattern, gets)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", nameMesh, err)
		}
		limit := float64(budget)
		var theirs, theirHeap float64
		for range 2 { // the first shows how much heap a limit makes
			rival.MaxBytes = int64(limit)
			if theirs, theirHeap, err = hitRatio(ctx, rival, rivalBase, pattern, gets); err != nil {
				return nil, fmt.Errorf("otter: %w", err)
			}
			limit *= heap / theirHeap
		}
		t.Rows = append(t.Rows, row{Name: pattern, Cells: []cell{
			number(100*ours, "%.1f %%"), number(100*theirs, "%.1f %%"), number(100*(ours-theirs), "%+.1f"),
			number(heap/(1<<20), "%.1f MiB"), number(theirHeap/(1<<20), "%.1f MiB"),
		}})
	}
	return []table{t}, nil
}

// hitRatio runs a pattern through a new process: a third of it fills, and of
// the rest it gives the share that needed no load, and the live heap beyond base.
func hitRatio(ctx context.Context, s spec, base float64, pattern string, gets int) (ratio, heap float64, err error) {
	c, err := start(ctx, s)
	if err != nil {
		return 0, 0, err
	}
	defer c.stop()
	if _, err := c.ask(ctx, command{Do: "settle", Want: 1}); err != nil {
		return 0, 0, err
	}
	fill := gets / 3 * 2 // until then most misses are of keys that nobody has asked for yet
	r, err := c.ask(ctx, command{Do: "trace", Gets: gets, Fill: fill, Keys: 200_000, Size: 1 << 10, Pattern: pattern, Seed: 1})
	if err != nil {
		return 0, 0, err
	}
	h, err := c.ask(ctx, command{Do: "heap"})
	return 1 - float64(r.Loads)/float64(gets-fill), float64(h.Heap) - base, err
}

// bareHeap is the live heap of the same process with the smallest cache: what
// connections, runtime and embedded servers take. Counters and tables that grow
// with the limit of a cache are not in it.
func bareHeap(ctx context.Context, s spec) (float64, error) {
	s.MaxBytes = 64 << 10
	c, err := start(ctx, s)
	if err != nil {
		return 0, err
	}
	defer c.stop()
	if _, err := c.ask(ctx, command{Do: "settle", Want: 1}); err != nil {
		return 0, err
	}
	r, err := c.ask(ctx, command{Do: "heap"})
	return float64(r.Heap), err
}
