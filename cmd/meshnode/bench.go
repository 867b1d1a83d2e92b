package main

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/cachemesh/cachemesh/mesh"
)

// Bounds of a benchmark beside its duration.
const (
	benchJoinWait = 10 * time.Second
	// benchEndWait is for the operations that are under way at the end.
	benchEndWait = 2 * time.Second
)

// benchConfig is what the flags of bench say.
type benchConfig struct {
	cache      string
	callers    int
	keys       int
	keyFile    string
	prefix     string
	zipf       float64
	duration   time.Duration
	invalidate float64 // percent of the operations
	fresh      float64 // percent of the operations
	replicas   bool
	timeout    time.Duration
	asJSON     bool
}

func newBench(s streams) *cobra.Command {
	var (
		conn connectFlags
		cfg  benchConfig
	)
	cmd := &cobra.Command{
		Use:   "bench CACHE",
		Short: "Load a running mesh, and measure it",
		Long: `bench reads a cache of a running mesh with many callers at once, as a program
that shares it would, and prints how many operations it did, how long they took
and where the answers came from. It owns nothing: nothing moves when it comes
and goes. Each caller asks for one value after the other, without a pause.

Keys are key-0, key-1 and so on, or the lines of a file, the most popular first.
What the origin does not have is counted apart, and is no error. A mesh without
data can serve made-up values: meshnode serve --cache load=synthetic:1KiB,latency=1ms
or, of different sizes, load=synthetic:100-64KiB.

It reports a line a second on stderr, and the result on stdout; Ctrl-C ends it
early, with the result so far. It exits with 1 if an operation failed.`,
		Example: `  meshnode bench load
  meshnode bench load --callers 256 --zipf 0 --replicas=false
  meshnode bench docs --key-file keys.txt --invalidate 0.1 --json`,
		Args: args(cobra.ExactArgs(1), "CACHE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg.cache = args[0]
			if cfg.keyFile != "" && (cmd.Flags().Changed("keys") || cmd.Flags().Changed("prefix")) {
				return usagef("--key-file excludes --keys and --prefix: it has the keys")
			}
			if err := cfg.check(); err != nil {
				return err
			}
			keys, err := cfg.benchKeys()
			if err != nil {
				return err
			}
			cfg.keys = len(keys)
			return runBench(cmd.Context(), s, conn, cfg, keys)
		},
	}
	conn.register(cmd, s)
	flags := cmd.Flags()
	flags.IntVar(&cfg.callers, "callers", 64, "`number` of callers at once")
	flags.IntVar(&cfg.keys, "keys", 10_000, "`number` of keys")
	flags.StringVar(&cfg.prefix, "prefix", "key-", "what keys begin with; a number follows")
	flags.StringVar(&cfg.keyFile, "key-file", "", "`file` with the keys instead, one a line")
	flags.Float64Var(&cfg.zipf, "zipf", 1.1, "`exponent` of the keys' Zipf popularity; 0: all alike")
	flags.DurationVar(&cfg.duration, "duration", 10*time.Second, "how long to load the mesh")
	flags.Float64Var(&cfg.invalidate, "invalidate", 0, "`percent` of the operations that invalidate their key, such as 0.1")
	flags.Float64Var(&cfg.fresh, "fresh", 0, "`percent` of the operations that ask for a new load")
	flags.BoolVar(&cfg.replicas, "replicas", true, "keep hot values here, as a member would")
	flags.DurationVar(&cfg.timeout, "timeout", 5*time.Second, "an operation that takes longer has failed")
	flags.BoolVar(&cfg.asJSON, "json", false, "print the result as JSON")
	return cmd
}

func (c benchConfig) check() error {
	percent := func(v float64) bool { return v >= 0 && v <= 100 }
	switch {
	case c.callers < 1 || c.callers > 10_000:
		return usagef("--callers %d: it must be 1 to 10000", c.callers)
	case c.keys < 1 || c.keys > maxBenchKeys:
		return usagef("--keys %d: it must be 1 to %d", c.keys, maxBenchKeys)
	case !(c.zipf >= 0 && c.zipf <= 10):
		return usagef("--zipf %v: it must be 0 to 10", c.zipf)
	case c.duration < 100*time.Millisecond || c.duration > 24*time.Hour:
		return usagef("--duration %v: it must be 100ms to 24h", c.duration)
	case !percent(c.invalidate):
		return usagef("--invalidate %v: it is a percentage, 0 to 100", c.invalidate)
	case !percent(c.fresh):
		return usagef("--fresh %v: it is a percentage, 0 to 100", c.fresh)
	case c.invalidate+c.fresh > 100:
		return usagef("--invalidate %v and --fresh %v: together they are more than 100%% of the operations", c.invalidate, c.fresh)
	case c.timeout < time.Millisecond || c.timeout > time.Hour:
		return usagef("--timeout %v: it must be 1ms to 1h", c.timeout)
	}
	return nil
}

// bench is one benchmark.
type bench struct {
	cfg     benchConfig
	cache   *mesh.Cache[[]byte]
	keys    []string
	pick    popularity
	stop    chan struct{} // closed when no operation is to begin any more
	tallies []*benchTally // each for one caller, or a few
}

// maxTallies bounds the memory for counting, and what adding it up takes. Beyond
// as many callers few run at the same time.
const maxTallies = 64

// runBench joins, loads the mesh until the duration is over or a signal comes,
// leaves, and reports.
func runBench(ctx context.Context, s streams, conn connectFlags, cfg benchConfig, keys []string) error {
	joining, cancel := context.WithTimeoutCause(ctx, benchJoinWait, fmt.Errorf("not joined within %v", benchJoinWait))
	defer cancel()
	joining, release := signal.NotifyContext(joining, syscall.SIGINT, syscall.SIGTERM)
	v, err := enter(joining, conn)
	interrupted := errors.Is(joining.Err(), context.Canceled)
	release()
	if err != nil && interrupted {
		return errInterrupted
	}
	if err != nil {
		return err
	}
	defer leaveSoon(v.Node)
	var opts mesh.Options
	if !cfg.replicas {
		opts.ReplicaBytes = -1
	}
	b := &bench{cfg: cfg, keys: keys, pick: newPopularity(len(keys), cfg.zipf), stop: make(chan struct{})}
	if b.cache, err = v.openWith(cfg.cache, opts); err != nil {
		return err
	}
	if err := v.unfenced(ctx); err != nil {
		return err
	}
	r := benchResult{benchConfig: cfg, mesh: v.mesh, url: v.URL()}
	for _, m := range v.others() {
		if !m.Reader && slices.Contains(m.Caches, cfg.cache) {
			r.owners++
		}
	}
	head := s.out
	if cfg.asJSON {
		head = s.err
	}
	fmt.Fprintln(head, r.title())
	b.run(ctx, s, v.Done(), &r)
	if cfg.asJSON {
		err = printJSON(s, r.json())
	} else {
		err = r.print(s.out)
	}
	return errors.Join(err, r.err())
}

// run lets the callers call, and fills in the result.
func (b *bench) run(ctx context.Context, s streams, lost <-chan struct{}, r *benchResult) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	asked, release := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer release()
	var callers, progress sync.WaitGroup
	began := time.Now()
	for range min(b.cfg.callers, maxTallies) {
		b.tallies = append(b.tallies, &benchTally{})
	}
	for i := range b.cfg.callers {
		callers.Go(func() { b.call(ctx, uint64(i), b.tallies[i%maxTallies]) })
	}
	progress.Go(func() { b.progress(s.err, began) })
	over := time.NewTimer(b.cfg.duration)
	defer over.Stop()
	select {
	case <-over.C:
	case <-asked.Done():
		r.interrupted = true
		release() // a second signal ends the process
	case <-lost:
		r.interrupted = true
	}
	close(b.stop)
	r.elapsed = time.Since(began)
	r.inTime = b.sum().counts()
	// What is under way may end; what takes too long is cut off.
	patience := time.AfterFunc(benchEndWait, cancel)
	callers.Wait()
	patience.Stop()
	progress.Wait()
	r.benchTally = b.sum()
}

// sum is what all callers have seen until now.
func (b *bench) sum() *benchTally {
	sum := &benchTally{}
	for _, t := range b.tallies {
		sum.add(t)
	}
	return sum
}
