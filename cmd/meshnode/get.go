package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/cachemesh/cachemesh/mesh"
)

func newGet(s streams) *cobra.Command {
	var (
		conn    connectFlags
		verbose bool
		fresh   bool
		timeout time.Duration
	)
	cmd := &cobra.Command{
		Use:   "get CACHE KEY",
		Short: "Read a value through the mesh, to stdout",
		Long: `get reads a value through the mesh and writes its bytes to stdout. The key's
owner answers from memory, or loads it. Reading from here keeps nothing here.

With --quorum a member uses memory, anybody's, only once it has heard a quorum for
a lease: what get brings by then it has loaded for itself (-v says "bypass").`,
		Example: `  meshnode get docs README.md
  meshnode get -v docs README.md >/dev/null   # where it came from, and how old it is`,
		Args: args(cobra.ExactArgs(2), "CACHE and KEY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cache, key := args[0], args[1]
			return visit(cmd.Context(), conn, timeout, func(ctx context.Context, v visitor) error {
				e, err := lookup(ctx, v, cache, key, fresh)
				if err != nil {
					return err
				}
				if _, err := s.out.Write(e.Value); err != nil {
					return err
				}
				if verbose {
					_, err = fmt.Fprintf(s.err, "source %s, owner %s, age %s, ttl %s%s, %d bytes\n",
						e.Source, e.Owner, brief(e.Age), brief(e.TTL), stale(e.Stale), len(e.Value))
				}
				return err
			})
		},
	}
	conn.register(cmd, s)
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "say on stderr where the value came from and how old it is")
	cmd.Flags().BoolVar(&fresh, "fresh", false, "load it again, whatever is in memory")
	cmd.Flags().DurationVar(&timeout, "timeout", 10*time.Second, "give up after this `duration`")
	return cmd
}

func lookup(ctx context.Context, v visitor, name, key string, fresh bool) (mesh.Entry[[]byte], error) {
	cache, err := v.open(name)
	if err != nil {
		return mesh.Entry[[]byte]{}, err
	}
	var opts []mesh.ReadOption
	if fresh {
		opts = append(opts, mesh.Fresh())
	}
	e, err := cache.Lookup(ctx, key, opts...)
	switch {
	case errors.Is(err, mesh.ErrBadKey):
		return e, &usageError{err}
	case errors.Is(err, mesh.ErrNotFound):
		return e, fmt.Errorf("cache %q has no key %q", name, key)
	case errors.Is(err, mesh.ErrNoOwner) && v.Mesh().Stats().Fenced:
		return e, fmt.Errorf("cache %q: fewer members are heard than the --quorum asks for: %w", name, err)
	case errors.Is(err, mesh.ErrNoOwner):
		return e, v.noOwner(name)
	}
	return e, err
}

func stale(is bool) string {
	if is {
		return " (stale)"
	}
	return ""
}

// brief shows a duration to three digits or so.
func brief(d time.Duration) string {
	switch {
	case d == mesh.NoExpiry:
		return "never ends"
	case d >= time.Hour || d <= -time.Hour:
		return d.Round(time.Minute).String()
	case d >= time.Second || d <= -time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= time.Millisecond || d <= -time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(10 * time.Nanosecond).String()
}
