package main

import (
	"context"
	"fmt"
)

// memoryCosts measures what values cost besides themselves.
func memoryCosts(ctx context.Context, p plan) ([]table, error) {
	entries := pick(p, 1_000_000, 50_000)
	heap := table{
		Title: fmt.Sprintf("Memory of %s entries of 1 KiB", count(float64(entries)).Text),
		Text: "Live heap after a collection, less that of the same process with a cache of 64 KiB, over the bytes of keys and values, in caches large enough for all of them. " +
			"Held counts how many a second reading found: what was not kept is not in the heap either, and does not count as payload.",
		Columns: []string{"held", "live heap", "over payload", "bytes an entry besides"},
	}
	for _, l := range []struct{ name, system string }{{nameMesh, "mesh"}, {"ristretto", "ristretto"}, {"otter", "otter"}, {"groupcache", "groupcache"}} {
		p.note("memory: %s", l.name)
		cells, err := heapCost(ctx, l.system, entries)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", l.name, err)
		}
		heap.Rows = append(heap.Rows, row{Name: l.name, Cells: cells})
	}
	budget := pick(p, int64(128<<20), 32<<20)
	resident := table{
		Title: fmt.Sprintf("Resident memory of a full member, %d MiB", budget>>20),
		Text: "A member with MaxBytes of that size, at Go's default GOGC, while 16 callers read at random among ten times as many keys as it has room for: " +
			"nearly every get loads, keeps and displaces. The most that was resident meanwhile, and what is after a collection.",
		Columns: []string{"the most resident", "over the budget", "afterwards", "over the budget"},
	}
	p.note("memory: a full member")
	cells, err := residentCost(ctx, p, budget)
	if err != nil {
		return nil, err
	}
	resident.Rows = []row{{Name: nameMesh, Cells: cells}}
	return []table{heap, resident}, nil
}

func heapCost(ctx context.Context, system string, entries int) ([]cell, error) {
	s := spec{System: system, ID: "memory", Embed: system == "mesh", MaxBytes: int64(entries) * 1600}
	base, err := bareHeap(ctx, s)
	if err != nil {
		return nil, err
	}
	c, err := start(ctx, s)
	if err != nil {
		return nil, err
	}
	defer c.stop()
	if _, err := c.ask(ctx, command{Do: "settle", Want: 1}); err != nil {
		return nil, err
	}
	fill := command{Do: "warm", Keys: entries, Size: 1 << 10}
	for range 2 { // once more for what a full buffer has dropped
		if _, err := c.ask(ctx, fill); err != nil {
			return nil, err
		}
		if _, err := c.ask(ctx, command{Do: "settle", Want: 1}); err != nil {
			return nil, err
		}
	}
	before, err := c.ask(ctx, command{Do: "usage"})
	if err != nil {
		return nil, err
	}
	now, err := c.ask(ctx, command{Do: "heap"})
	if err != nil {
		return nil, err
	}
	if _, err := c.ask(ctx, fill); err != nil {
		return nil, err
	}
	after, err := c.ask(ctx, command{Do: "usage"})
	if err != nil {
		return nil, err
	}
	held := float64(entries) - float64(after.Loads-before.Loads)
	payload := held * float64(1024+len(keyName(fill, entries/2)))
	grown := float64(now.Heap) - base
	return []cell{count(held), number(grown/(1<<20), "%.0f MiB"), number(grown/payload, "%.2f"), count((grown - payload) / held)}, nil
}

func residentCost(ctx context.Context, p plan, budget int64) ([]cell, error) {
	c, err := start(ctx, spec{System: "mesh", ID: "memory", Embed: true, MaxBytes: budget})
	if err != nil {
		return nil, err
	}
	defer c.stop()
	if _, err := c.ask(ctx, command{Do: "settle", Want: 1}); err != nil {
		return nil, err
	}
	keys := int(10 * budget / 1280)
	run := command{Do: "trace", Callers: 16, Gets: keys / 2, Keys: keys, Size: 1 << 10, Pattern: "uniform", Seed: 1}
	r, err := c.ask(ctx, run)
	if err != nil {
		return nil, err
	}
	after, err := c.ask(ctx, command{Do: "heap"})
	if err != nil {
		return nil, err
	}
	if r.RSS == 0 {
		return []cell{none, none, none, none}, nil
	}
	mib := func(n uint64) cell { return number(float64(n)/(1<<20), "%.0f MiB") }
	over := func(n uint64) cell { return number(float64(n)/float64(budget), "%.2f") }
	return []cell{mib(r.RSS), over(r.RSS), mib(after.RSS), over(after.RSS)}, nil
}
