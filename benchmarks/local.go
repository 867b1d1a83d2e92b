package main

import (
	"context"
	"fmt"
	"time"
)

// locals are the caches whose hits in the caller's own memory are measured.
var locals = []struct{ name, system string }{
	{nameMesh, "mesh"},
	{"ristretto", "ristretto"},
	{"otter", "otter"},
	{"theine", "theine"},
	{"sturdyc", "sturdyc"},
	{"groupcache", "groupcache"},
}

const localTitle = "Local hit"

// localHits measures gets of what the process holds itself.
func localHits(ctx context.Context, p plan) ([]table, error) {
	var f family
	defer f.stop()
	const keys = 10_000
	children := make([]*child, len(locals))
	for i, l := range locals {
		c, err := f.add(ctx, spec{System: l.system, ID: "local", Embed: l.system == "mesh"})
		if err != nil {
			return nil, err
		}
		children[i] = c
		settle, fill := command{Do: "settle", Want: 1}, command{Do: "warm", Keys: keys, Size: 1 << 10}
		// More than once: some drop what comes faster than they take it in.
		for _, cmd := range []command{settle, fill, settle, fill, settle, fill, settle} {
			if _, err := c.ask(ctx, cmd); err != nil {
				return nil, fmt.Errorf("%s: %w", l.name, err)
			}
		}
	}
	atOnce := []int{1, 2}
	took := map[string]map[int]sample{}
	mallocs := map[string]sample{}
	// Many short turns: what slows the machine down for a moment then slows neighbours alike.
	rounds := 4 * p.rounds
	for round := range upTo(ctx, rounds, 1) {
		for _, n := range atOnce {
			for i := range locals {
				at := (i + round) % len(locals)
				name := locals[at].name
				p.note("local: round %d of %d, %d at once: %s", round+1, rounds, n, name)
				r, err := children[at].ask(ctx, command{Do: "spin", Callers: n, For: min(p.slice, 75*time.Millisecond), Keys: keys, Size: 1 << 10})
				if err != nil {
					return nil, fmt.Errorf("%s: %w", name, err)
				}
				if took[name] == nil {
					took[name] = map[int]sample{}
				}
				// Wall time, as testing.B.RunParallel counts it: two goroutines
				// on two processors halve it at best.
				took[name][n] = append(took[name][n], float64(r.Took)/float64(r.Gets))
				mallocs[name] = append(mallocs[name], r.Mallocs)
			}
		}
	}
	t := table{
		Title: localTitle,
		Text: "Wall time divided by gets, of 10,000 resident values of 1 KiB. cachemesh is the whole Get: context, expiry, counters. " +
			"ristretto, otter and theine are bare caches in which nothing expires here.",
		Columns: []string{"1 goroutine", "1: against ristretto", "2 goroutines", "2: against ristretto", "2: against groupcache", "allocations"},
	}
	for _, l := range locals {
		one, two := took[l.name][1], took[l.name][2]
		t.Rows = append(t.Rows, row{Name: l.name, Cells: []cell{
			one.number("%.0f ns"), one.over(took["ristretto"][1]).ratio(),
			two.number("%.0f ns"), two.over(took["ristretto"][2]).ratio(), two.over(took["groupcache"][2]).ratio(),
			mallocs[l.name].number("%.1f"),
		}})
	}
	return []table{t}, nil
}
