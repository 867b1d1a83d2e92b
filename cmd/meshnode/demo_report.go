package main

import (
	"fmt"
	"strconv"

	"github.com/cachemesh/cachemesh/mesh"
)

// sources are where answers come from, as reports name it, the nearest first.
var sources = []struct {
	source mesh.Source
	name   string
}{
	{mesh.Local, "from own memory"},
	{mesh.Replica, "from a hot replica"},
	{mesh.Owner, "from the owner's memory"},
	{mesh.Loaded, "after a load"},
	{mesh.Bypass, "by a load nobody kept"},
}

// report prints what happened. It returns an error if a read failed or was
// outdated.
func (d *demo) report() error {
	var sum tally
	for _, t := range d.tallies {
		sum.add(t)
	}
	all := sum.all()
	d.say("\n")
	line := func(cells ...any) { d.say("%-24s %9s %7s %9s %9s %9s\n", cells...) }
	line("reads answered", "", "share", "p50", "p99", "slowest")
	row := func(name string, l *latencies) {
		if l.n > 0 {
			line(name, grouped(int(l.n)), fmt.Sprintf("%.1f%%", 100*float64(l.n)/float64(all.n)),
				brief(l.quantile(0.5)), brief(l.quantile(0.99)), brief(l.max))
		}
	}
	for _, s := range sources {
		row(s.name, &sum.bySource[s.source])
	}
	row("all", all)
	d.say("\n")
	d.reportLoads(all.n)
	d.say("invalidation   %s of invalidated files checked, %s outdated\n", counted(sum.checked, "read"), grouped(sum.outdated))
	d.say("death of %s    slowest of the %s in the %v after it: %s\n", d.story.victim,
		counted(int(sum.death.n), "read"), demoLease, brief(sum.death.max))
	d.say("errors         %s\n", grouped(sum.errors))
	switch {
	case sum.errors > 0:
		return fmt.Errorf("%s failed, the first one with: %w", counted(sum.errors, "read"), sum.firstErr)
	case sum.outdated > 0:
		return fmt.Errorf("%s were outdated", counted(sum.outdated, "read"))
	}
	d.outMu.Lock()
	defer d.outMu.Unlock()
	return d.outErr
}

// reportLoads compares the loads with the keys that were read.
func (d *demo) reportLoads(reads uint64) {
	loaded := d.origin.loaded()
	var total, invalidated, orphaned, again int
	for key, n := range loaded {
		total += n
		repeats := n - 1
		took := min(repeats, d.story.invalidated[key])
		invalidated += took
		repeats -= took
		if d.story.orphans[key] && repeats > 0 {
			orphaned++
			repeats--
		}
		again += repeats
	}
	d.say("loads          %s for %s, %.0f reads to a load\n", grouped(total), counted(len(loaded), "file"),
		float64(reads)/float64(max(total, 1)))
	d.say("               %s again after an invalidation, %s of the %s that %s owned when it died,\n",
		grouped(invalidated), grouped(orphaned), grouped(len(d.story.orphans)), d.story.victim)
	d.say("               %s for other reasons (%s had joined)\n", grouped(again), d.story.newcomer)
	var displaced uint64
	for _, m := range d.members {
		c := m.cache.Stats()
		displaced += c.Evictions + c.Rejected
	}
	if displaced > 0 {
		d.say("               (%s found no room in memory)\n", counted(int(displaced), "value"))
	}
}

// grouped is a number with commas between its thousands.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// counted is count for large numbers.
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return grouped(n) + " " + noun + "s"
}
