package main

import (
	"context"
	"fmt"
	"time"
)

// What the aims find the tables by.
const (
	heapTitle     = "Memory of many entries of 1 KiB"
	residentTitle = "Resident memory of a full member"
	limitedName   = "cachemesh, meshnode's limit"
)

// memoryCosts measures what values cost besides themselves.
func memoryCosts(ctx context.Context, p plan) ([]table, error) {
	entries := pick(p, 1_000_000, 50_000)
	heap := table{
		Title: heapTitle,
		Text: fmt.Sprintf("%s entries. ", count(float64(entries)).Text) +
			"Live heap after a collection, less that of the same process with a cache of 64 KiB, over the bytes of keys and values, in caches large enough for all of them. " +
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
	resident, err := residentCosts(ctx, p)
	return []table{heap, resident}, err
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

// residentCosts measures what the operating system sees of a full cache.
func residentCosts(ctx context.Context, p plan) (t table, err error) {
	budget := pick(p, int64(256<<20), 32<<20)
	t = table{
		Title: residentTitle,
		Text: fmt.Sprintf("Each is given %d MiB and Go's default GOGC, while 16 callers read at random among ten times as many keys as it has room for: "+
			"nearly every get loads, keeps and displaces. The most that was resident meanwhile, and what is after a collection. "+
			"Go's collector lets a heap grow to twice what lives. The second line has the soft memory limit that a meshnode sets itself, 1.25 times the "+
			"budget and 64 MiB; a program that embeds cachemesh sets it, or goes without, as in the first.", budget>>20),
		Columns: []string{"the most resident", "over the budget", "afterwards", "afterwards over the budget", "gets/s"},
	}
	var f family
	defer f.stop()
	broker, err := f.add(ctx, spec{System: "nats-server"})
	if err != nil {
		return t, err
	}
	member := spec{System: "mesh", ID: "memory", URL: broker.addr}
	for _, l := range []struct {
		name  string
		spec  spec
		limit int64
	}{
		{nameMesh, member, 0},
		{limitedName, member, budget*5/4 + 64<<20},
		{"ristretto", spec{System: "ristretto"}, 0},
		{"otter", spec{System: "otter"}, 0},
		{"groupcache", spec{System: "groupcache"}, 0},
	} {
		p.note("memory: resident, %s", l.name)
		l.spec.MaxBytes, l.spec.MemoryLimit = budget, l.limit
		cells, err := residentCost(ctx, l.spec, pick(p, 15*time.Second, 3*time.Second))
		if err != nil {
			return t, fmt.Errorf("%s: %w", l.name, err)
		}
		t.Rows = append(t.Rows, row{Name: l.name, Cells: cells})
	}
	return t, nil
}

func residentCost(ctx context.Context, s spec, d time.Duration) ([]cell, error) {
	c, err := start(ctx, s)
	if err != nil {
		return nil, err
	}
	defer c.stop()
	if _, err := c.ask(ctx, command{Do: "settle", Want: 1}); err != nil {
		return nil, err
	}
	budget := s.MaxBytes
	keys := int(10 * budget / 1280)
	r, err := c.ask(ctx, command{Do: "trace", Callers: 16, Gets: 4 * keys, For: d, Keys: keys, Size: 1 << 10, Pattern: "uniform", Seed: 1})
	if err != nil {
		return nil, err
	}
	after, err := c.ask(ctx, command{Do: "heap"})
	if err != nil {
		return nil, err
	}
	rate := count(float64(r.Gets) / r.Took.Seconds())
	if r.RSS == 0 {
		return []cell{none, none, none, none, rate}, nil
	}
	mib := func(n uint64) cell { return number(float64(n)/(1<<20), "%.0f MiB") }
	over := func(n uint64) cell { return number(float64(n)/float64(budget), "%.2f") }
	return []cell{mib(r.RSS), over(r.RSS), mib(after.RSS), over(after.RSS), rate}, nil
}
