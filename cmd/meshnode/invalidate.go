package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/cachemesh/cachemesh/mesh"
)

func newInvalidate(s streams) *cobra.Command {
	var (
		conn    connectFlags
		timeout time.Duration
	)
	cmd := &cobra.Command{
		Use:   "invalidate CACHE KEY...",
		Short: "Make every member forget values",
		Long: `invalidate makes every member forget the values of the keys, and returns when
all have confirmed: no read that begins afterwards gets a value that was loaded
before.

With --quorum that takes a lease, until this command may count on those it hears:
have --timeout exceed it.`,
		Example: `  meshnode invalidate docs README.md guide/intro.md`,
		Args:    args(cobra.MinimumNArgs(2), "CACHE and one KEY or more"),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, keys := args[0], slices.Clone(args[1:])
			slices.Sort(keys)
			keys = slices.Compact(keys)
			return visit(cmd.Context(), conn, timeout, func(ctx context.Context, v visitor) error {
				cache, err := v.open(name)
				if err != nil {
					return err
				}
				err = cache.Invalidate(ctx, keys...)
				if errors.Is(err, mesh.ErrBadKey) {
					return &usageError{err}
				}
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(s.out, "invalidated %s on %s\n", count(len(keys), "key"), count(len(v.others()), "member"))
				return err
			})
		},
	}
	conn.register(cmd, s)
	cmd.Flags().DurationVar(&timeout, "timeout", 10*time.Second, "give up after this `duration`")
	return cmd
}

// count is a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
