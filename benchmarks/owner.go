package main

import (
	"context"
	"fmt"
	"hash/crc32"
	"slices"
	"time"

	"github.com/golang/groupcache/consistenthash"

	"github.com/cachemesh/cachemesh/hashing"
)

const ownerTitle = "More members: who owns a key"

// ownerLookups measures how long it takes to name the owner of a key, and how
// evenly keys are spread.
func ownerLookups(ctx context.Context, p plan) (table, error) {
	t := table{
		Title: ownerTitle,
		Text: "To name a key's owner among so many members, in one goroutine, and the keys that the busiest of 64 members owns of 200,000 " +
			"against the mean. groupcache hashes each member onto 50 places of a ring.",
	}
	sizes := []int{3, 64, 1024}
	kinds := []struct {
		name string
		make func(members []string) func(key string) string
	}{
		{nameMesh, rendezvousOwner},
		{"groupcache, consistenthash", ringOwner},
	}
	keys := keyNames(command{Keys: 200_000, Size: 1 << 10})
	lookups := make([][]func(string) string, len(kinds))
	took := make([][]sample, len(kinds))
	for i, k := range kinds {
		took[i] = make([]sample, len(sizes))
		for _, n := range sizes {
			lookups[i] = append(lookups[i], k.make(memberNames(n)))
		}
	}
	for round := range p.rounds {
		p.note("members: owners, round %d of %d", round+1, p.rounds)
		for at := range sizes {
			for i := range kinds {
				i := (i + round) % len(kinds)
				if ctx.Err() != nil {
					return t, ctx.Err()
				}
				took[i][at] = append(took[i][at], lookupTime(lookups[i][at], keys, 50*time.Millisecond))
			}
		}
	}
	for _, n := range sizes {
		t.Columns = append(t.Columns, fmt.Sprintf("%d members", n))
	}
	t.Columns = append(t.Columns, "busiest against mean")
	for i, k := range kinds {
		r := row{Name: k.name}
		for at := range sizes {
			r.Cells = append(r.Cells, took[i][at].number("%.0f ns"))
		}
		r.Cells = append(r.Cells, number(busiestShare(lookups[i][1], keys, sizes[1]), "%.2f"))
		t.Rows = append(t.Rows, r)
	}
	return t, nil
}

func memberNames(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("member-%04d", i))
	}
	return names
}

func rendezvousOwner(members []string) func(string) string {
	var all []hashing.Member
	for _, name := range members {
		all = append(all, hashing.Member{ID: name, Weight: 1})
	}
	return hashing.New(all...).Owner
}

func ringOwner(members []string) func(string) string {
	ring := consistenthash.New(50, crc32.ChecksumIEEE) // what its HTTP pool does by default
	ring.Add(members...)
	return ring.Get
}

// lookupTime is how many nanoseconds one of them takes, over about d.
func lookupTime(owner func(string) string, keys []string, d time.Duration) float64 {
	n, began := 0, time.Now()
	for time.Since(began) < d {
		for range 256 {
			if owner(keys[n%len(keys)]) == "" {
				panic("a key without an owner")
			}
			n++
		}
	}
	return float64(time.Since(began)) / float64(n)
}

// busiestShare is what the member with the most keys owns against the mean.
func busiestShare(owner func(string) string, keys []string, members int) float64 {
	owned := map[string]int{}
	for _, key := range keys {
		owned[owner(key)]++
	}
	var all []int
	for _, n := range owned {
		all = append(all, n)
	}
	return float64(slices.Max(all)) * float64(members) / float64(len(keys))
}
