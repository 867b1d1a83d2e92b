package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/cachemesh/cachemesh/mesh"
)

func newMembers(s streams) *cobra.Command {
	var (
		conn    connectFlags
		asJSON  bool
		timeout time.Duration
	)
	cmd := &cobra.Command{
		Use:   "members",
		Short: "List the live members of a mesh",
		Args:  args(cobra.NoArgs, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return visit(cmd.Context(), conn, timeout, func(_ context.Context, v visitor) error {
				members := v.others()
				if asJSON {
					return printJSON(s, membersJSON(members))
				}
				if len(members) == 0 {
					warn(s.err, "mesh %q at %s has no members", v.mesh, v.URL())
					return nil
				}
				return printMembers(s, members)
			})
		},
	}
	conn.register(cmd, s)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().DurationVar(&timeout, "timeout", 10*time.Second, "give up after this `duration`")
	return cmd
}

func printMembers(s streams, members []mesh.Member) error {
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tROLE\tWEIGHT\tCACHES\tVERSION\tAGE")
	for _, m := range members {
		role, weight := "owner", fmt.Sprint(m.Weight)
		if m.Reader {
			role, weight = "reader", "-"
		}
		caches := strings.Join(m.Caches, ",")
		if caches == "" {
			caches = "-"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", m.ID, role, weight, caches, m.Version, m.Age.Round(time.Second))
	}
	return w.Flush()
}

// memberJSON is a member as "members --json" prints it.
type memberJSON struct {
	ID         string   `json:"id"`
	Weight     int      `json:"weight"`
	Reader     bool     `json:"reader"`
	Caches     []string `json:"caches"`
	Version    string   `json:"version"`
	AgeSeconds float64  `json:"age_seconds"`
}

func membersJSON(members []mesh.Member) []memberJSON {
	out := make([]memberJSON, 0, len(members))
	for _, m := range members {
		caches := m.Caches
		if caches == nil {
			caches = []string{}
		}
		out = append(out, memberJSON{m.ID, m.Weight, m.Reader, caches, m.Version, m.Age.Seconds()})
	}
	return out
}

func printJSON(s streams, v any) error {
	e := json.NewEncoder(s.out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
