package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/cachemesh/cachemesh/mesh"
)

func newStats(s streams) *cobra.Command {
	var (
		conn    connectFlags
		asJSON  bool
		timeout time.Duration
	)
	cmd := &cobra.Command{
		Use:   "stats",
		Short: "Show what each member has done and holds",
		Long: `stats asks every member what it has done since it joined and what it holds now:

  READS     reads by programs at that member, and by NATS clients it answered
  OWNED     of them from values that it owns
  REPLICA   of them from replicas of other members' hot values
  FETCHES   questions it asked other members for a value
  SERVED    questions of other members that it answered
  LOADS     loads from the origin, and how many of them FAILED ("not found" too)
  ENTRIES   values that it owns, in memory now, and their MEMORY
  REPLICAS  replicas in memory now

Members of a private mesh do not answer.`,
		Args: args(cobra.NoArgs, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return visit(cmd.Context(), conn, timeout, func(ctx context.Context, v visitor) error {
				answers, silent, err := gatherStats(ctx, v)
				if err != nil {
					return err
				}
				if len(silent) > 0 {
					warn(s.err, "no answer from %s", strings.Join(silent, ", "))
				}
				if asJSON {
					return printJSON(s, answers)
				}
				if len(answers) == 0 {
					if len(silent) == 0 {
						warn(s.err, "mesh %q at %s has no members", v.mesh, v.URL())
					}
					return nil
				}
				return printStats(s, answers)
			})
		},
	}
	conn.register(cmd, s)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().DurationVar(&timeout, "timeout", 10*time.Second, "give up after this `duration`")
	return cmd
}

// printStats prints a line for each member and cache, and the sums of a cache
// that several members serve.
func printStats(s streams, answers []mesh.Stats) error {
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CACHE\tMEMBER\tREADS\tOWNED\tREPLICA\tFETCHES\tSERVED\tLOADS\tFAILED\tENTRIES\tMEMORY\tREPLICAS")
	byCache := map[string][]mesh.Stats{}
	for _, a := range answers {
		for name := range a.Caches {
			byCache[name] = append(byCache[name], a)
		}
	}
	row := func(cache, member string, c mesh.CacheStats) {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t%d\n", cache, member,
			c.Gets, c.Hits, c.ReplicaHits, c.Fetches, c.Served, c.Loads, c.LoadErrors, c.Entries, size(c.Bytes), c.ReplicaEntries)
	}
	for _, name := range slices.Sorted(maps.Keys(byCache)) {
		var sum mesh.CacheStats
		for _, a := range byCache[name] {
			c := a.Caches[name]
			row(name, a.Member, c)
			sum.Gets += c.Gets
			sum.Hits += c.Hits
			sum.ReplicaHits += c.ReplicaHits
			sum.Fetches += c.Fetches
			sum.Served += c.Served
			sum.Loads += c.Loads
			sum.LoadErrors += c.LoadErrors
			sum.Entries += c.Entries
			sum.Bytes += c.Bytes
			sum.ReplicaEntries += c.ReplicaEntries
		}
		if len(byCache[name]) > 1 {
			row(name, "(all)", sum)
		}
	}
	for _, a := range answers {
		if len(a.Caches) == 0 {
			fmt.Fprintf(w, "-\t%s\n", a.Member)
		}
	}
	return w.Flush()
}

// size shows bytes with a unit.
func size(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1fGiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1fMiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1fKiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%dB", n)
}
