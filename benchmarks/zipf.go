package main

import (
	"context"
	"fmt"
	"time"
)

// What the aims and the chart find the tables by.
const (
	zipfTitle    = "Four members, Zipf 1.1"
	withoutRatio = "against groupcache without hot cache"
	loadsRatio   = "loads against groupcache of the same sort"
	busiestTitle = "The busiest member, Zipf 1.2"
	busiestRatio = "busiest against mean"
)

// zipfSamples is what was measured of one kind, round by round.
type zipfSamples struct {
	rate, loads, busiest sample
}

// zipfMeshes measures whole meshes under popularity that follows Zipf's law.
func zipfMeshes(ctx context.Context, p plan) ([]table, error) {
	kinds := []kind{meshReplicas, meshAlone, groupcacheHot, groupcacheCold}
	steady, err := zipfRounds(ctx, p, kinds, "zipf 1.1", pick(p, 5, 1), pick(p, 300_000, 30_000), 0.7)
	if err != nil {
		return nil, err
	}
	steep, err := zipfRounds(ctx, p, kinds, "zipf 1.2", pick(p, 3, 1), pick(p, 150_000, 30_000), 1)
	if err != nil {
		return nil, err
	}
	return []table{zipfTable(kinds, steady), busiestTable(kinds, steep)}, nil
}

// zipfRounds measures each kind in each round, every time with new processes.
func zipfRounds(ctx context.Context, p plan, kinds []kind, pattern string, rounds, gets int, share float64) (map[string]*zipfSamples, error) {
	out := map[string]*zipfSamples{}
	for round := range upTo(ctx, rounds, share) {
		for i := range kinds {
			k := kinds[(i+round)%len(kinds)]
			p.note("%s: round %d of %d: %s", pattern, round+1, rounds, k.name)
			if out[k.name] == nil {
				out[k.name] = &zipfSamples{}
			}
			if err := zipfRound(ctx, k, pattern, pick(p, 4_000_000, 200_000), gets, uint64(round), out[k.name]); err != nil {
				return nil, fmt.Errorf("%s: %w", k.name, err)
			}
		}
	}
	return out, nil
}

// zipfRound measures new members, whose memory has come to rest: before it has,
// most loads are of keys that nobody has asked for yet, and all caches are alike.
// Each member first does, of fill gets, those of its own keys, which crosses no
// network, and then a quarter as many gets as are measured, of all keys.
func zipfRound(ctx context.Context, k kind, pattern string, fill, gets int, round uint64, into *zipfSamples) error {
	const members = 4
	f, err := newFleet(ctx, k, members, 16<<20, time.Millisecond)
	if err != nil {
		return err
	}
	defer f.stop()
	run := command{Do: "trace", Callers: 64, Gets: fill, Own: true, Keys: 200_000, Size: 1 << 10, Pattern: pattern, Seed: round*17 + 1}
	if _, err := askAll(ctx, f.members, run); err != nil {
		return err
	}
	run.Gets, run.Own, run.Seed = gets/members/4, false, run.Seed+250
	if _, err := askAll(ctx, f.members, run); err != nil {
		return err
	}
	loads, served, err := f.totals(ctx)
	if err != nil {
		return err
	}
	run.Gets, run.Seed = gets/members, run.Seed+500
	replies, err := askAll(ctx, f.members, run)
	if err != nil {
		return err
	}
	loadsAfter, servedAfter, err := f.totals(ctx)
	if err != nil {
		return err
	}
	var made, slowest, sum, most float64
	for i, r := range replies {
		made += float64(r.Gets)
		slowest = max(slowest, r.Took.Seconds())
		n := servedAfter[i] - served[i]
		sum += n
		most = max(most, n)
	}
	into.rate = append(into.rate, made/slowest)
	into.loads = append(into.loads, (loadsAfter-loads)/made*1000)
	if sum > 0 {
		into.busiest = append(into.busiest, most/(sum/members))
	}
	return nil
}

func zipfTable(kinds []kind, got map[string]*zipfSamples) table {
	t := table{
		Title: zipfTitle,
		Text: "4 member processes with 64 callers each read 200,000 keys of 1 KiB whose popularity follows Zipf's law (s = 1.1). " +
			"Each member is given 16 MiB, replicas included; groupcache counts keys and values in that, cachemesh what an entry costs besides, too: it has " +
			"room for 0.72 times as many, of which the most popular alone would leave 0.9 times groupcache's loads. " +
			"A load takes 1 ms. The number of gets is the same for all, after as many others as it takes until full caches no longer change. groupcache's hot " +
			"cache has no switch: without it, gets of other peers' keys go past its Group, still one flight a key.",
		Columns: []string{"gets/s", "gets/s" + groupcacheRatio, withoutRatio, "loads in 1,000 gets", loadsRatio},
	}
	for _, k := range kinds {
		same := groupcacheCold.name
		if k.replicas {
			same = groupcacheHot.name
		}
		s := got[k.name]
		t.Rows = append(t.Rows, row{Name: k.name, Cells: []cell{
			s.rate.count(), s.rate.over(got[groupcacheHot.name].rate).ratio(), s.rate.over(got[groupcacheCold.name].rate).ratio(),
			s.loads.number("%.0f"), s.loads.over(got[same].loads).ratio(),
		}})
	}
	return t
}

func busiestTable(kinds []kind, got map[string]*zipfSamples) table {
	t := table{
		Title: busiestTitle,
		Text: "The same with s = 1.2, where the most popular key draws a fifth of all gets: the questions that the busiest member " +
			"gets from others, against the mean of all four.",
		Columns: []string{busiestRatio, "gets/s"},
	}
	for _, k := range kinds {
		s := got[k.name]
		t.Rows = append(t.Rows, row{Name: k.name, Cells: []cell{s.busiest.ratio(), s.rate.count()}})
	}
	return t
}
