package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

// demoConfig is what the flags of demo say.
type demoConfig struct {
	dir      string
	latency  time.Duration
	readers  int
	duration time.Duration
}

// demoOverrun is how much longer than its duration a demo may take: to start,
// to wait for a join while a dead member has not been given up, to leave.
const demoOverrun = 7 * time.Second

func newDemo(s streams) *cobra.Command {
	var cfg demoConfig
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Watch a mesh at work on the files of a directory",
		Long: `demo runs a whole mesh in this process: a NATS server, four members with a
connection each, and an origin that reads the files of a directory as slowly as
you like. Readers read the files, a few of them far more often than the rest.

While they read, it invalidates the most popular file, kills its owner without
warning, and lets another member join. Each value carries the number and the beginning
of its load, so that a read of an outdated value is noticed. Then it prints what
happened. It exits with 1 if a read failed or was outdated.`,
		Example: `  meshnode demo
  meshnode demo --dir /usr/share/doc --latency 100ms --readers 500`,
		Args: args(cobra.NoArgs, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cfg.check(); err != nil {
				return err
			}
			ctx, cancel := context.WithTimeoutCause(cmd.Context(), cfg.duration+demoOverrun,
				fmt.Errorf("the demo did not end within %v", cfg.duration+demoOverrun))
			defer cancel()
			return runDemo(ctx, s, cfg)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&cfg.dir, "dir", ".", "`directory` whose files are read")
	flags.DurationVar(&cfg.latency, "latency", 20*time.Millisecond, "what the origin takes for one file, besides reading it")
	flags.IntVar(&cfg.readers, "readers", 200, "`number` of readers, spread over the members")
	flags.DurationVar(&cfg.duration, "duration", 8*time.Second, "how long the readers read")
	return cmd
}

func (c demoConfig) check() error {
	switch {
	case c.latency < 0 || c.latency > 5*time.Second:
		return usagef("--latency %v: it must be 0 to 5s", c.latency)
	case c.readers < 1 || c.readers > 2000:
		return usagef("--readers %d: it must be 1 to 2000", c.readers)
	case c.duration < time.Second || c.duration > 10*time.Minute:
		return usagef("--duration %v: it must be 1s to 10m", c.duration)
	}
	return nil
}

// runDemo plays the demo: first the cast, then the acts, then the report.
func runDemo(ctx context.Context, s streams, cfg demoConfig) (err error) {
	files, err := findFiles(cfg.dir)
	if err != nil {
		return err
	}
	origin, err := newDemoOrigin(cfg.dir, cfg.latency)
	if err != nil {
		return err
	}
	defer origin.close()
	d := &demo{cfg: cfg, out: s.out, files: files, origin: origin, floors: newFloors()}
	defer func() { err = errors.Join(err, d.leave()) }()
	if err := d.start(ctx); err != nil {
		return err
	}
	if err := d.play(ctx); err != nil {
		return err
	}
	return d.report()
}
