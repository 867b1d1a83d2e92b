package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/cachemesh/cachemesh/node"
)

// Bounds of a member's start and leave.
const (
	startWait = 30 * time.Second
	// handOverWait is for the heirs; what is not handed over then is loaded again.
	handOverWait = 12 * time.Second
	// signalEcho is how long a signal may repeat the first: timeout and supervisors signal
	// the process and then its group.
	signalEcho = 500 * time.Millisecond
	// leaveMax is for all of the leave, closing included.
	leaveMax = 15 * time.Second
)

func newServe(s streams) *cobra.Command {
	var (
		conn   connectFlags
		cfg    node.Config
		caches []string
		memory string
	)
	cmd := &cobra.Command{
		Use:   "serve [--nats URL | --embed] --cache NAME=ORIGIN ...",
		Short: "Run a member that owns its share of the keys",
		Long: `serve runs a member of a mesh until it is told to stop (SIGTERM or SIGINT).
It leaves in good order then: its heirs take over what it holds. A second signal,
half a second later or more, ends it at once.

A cache is NAME=ORIGIN, where ORIGIN is

  file:DIR         the files of a directory, by slash path
  http://URL       or https://URL, with {key} where the key goes
  synthetic:SIZE   a made-up value of that size under every key, for benchmarks;
                   synthetic:LEAST-MOST, such as 100-64KiB: of different sizes

Options follow after commas, such as docs=file:/srv/docs,ttl=1m,bytes=256MiB.
How long values are right:

  ttl                     how long a value is fresh, or never             5m
  jitter                  share of the ttl taken off at random            0.1
  negative-ttl            how long "not found" is remembered              0
  refresh-ahead           a read past this share of the ttl starts a      0
                          load behind it
  stale-while-revalidate  (swr) for so long after the ttl, answer the     0
                          old value and load behind it
  stale-if-error          (sie) for so long after the ttl, answer the     0
                          old value when the load fails
  error-backoff           leave the origin alone after such a failure     5s
  soft-timeout            after the ttl, wait so long for the load, then  0
                          answer the old value; needs stale-if-error
  max-isolation           cut off from NATS for longer, answer nothing    0
                          from memory

What they may take:

  bytes                   memory for values that this member owns         64MiB
  replica-bytes           memory for hot values of other members          bytes/8
  replica-ttl             longest life of those                           10s
  load-timeout            bound of one load                               30s
  max-loads               loads at once                                   256
  max-value               largest value                                   64MiB

For one kind of origin:

  keep-slashes            http, https: the slashes of a key stay slashes of the
                          path; they are escaped otherwise
  latency                 synthetic: what one load takes                  0

The process has a soft memory limit, which Go's garbage collector keeps to: 1.25
times the bytes and replica-bytes of its caches and 64MiB for the rest, unless
the environment variable GOMEMLIMIT sets one, or --memory-limit, which goes
before both. --memory-limit off leaves it at what GOMEMLIMIT says, or at none.

With --http, /healthz, /readyz and /metrics (Prometheus) are served.`,
		Example: `  meshnode serve --embed --cache docs=file:.
  meshnode serve --cache docs=file:. --http 8081
  meshnode serve --nats nats://nats.internal --mesh shop --cache 'users=https://api.internal/users/{key},ttl=1m,sie=1h'
  meshnode serve --cache load=synthetic:1KiB,latency=1ms   # see 'meshnode bench'`,
		Args: args(cobra.NoArgs, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("nats") && cfg.Embed {
				return usagef("--nats and --embed exclude each other: connect to a NATS, or bring one")
			}
			if cmd.Flags().Changed("creds") && cfg.Embed {
				return usagef("--creds and --embed exclude each other: credentials are for a NATS that is there already")
			}
			if cmd.Flags().Changed("embed-addr") && !cfg.Embed {
				return usagef("--embed-addr needs --embed")
			}
			if cmd.Flags().Changed("heartbeat") && cfg.Heartbeat == 0 { // the zero of the configuration is the default
				return usagef("--heartbeat 0: it must be 10ms to 1m")
			}
			if len(caches) == 0 {
				return usagef("serve needs a cache, such as --cache docs=file:.")
			}
			for _, text := range caches {
				spec, err := node.ParseCacheSpec(text)
				if err != nil {
					return err
				}
				cfg.Caches = append(cfg.Caches, spec)
			}
			var err error
			if cfg.MemoryLimit, err = node.ParseMemoryLimit(memory); err != nil {
				return err
			}
			cfg.NATS, cfg.Creds, cfg.Mesh = conn.url(), conn.creds, conn.mesh
			cfg.Quorum, cfg.Lease = conn.quorum, conn.lease
			cfg.Logger = slog.New(slog.NewTextHandler(s.err, nil))
			return serve(cmd.Context(), s, cfg)
		},
	}
	conn.register(cmd, s)
	flags := cmd.Flags()
	flags.BoolVar(&cfg.Embed, "embed", false, "start a NATS server in this process, for others to join")
	flags.StringVar(&cfg.EmbedAddr, "embed-addr", node.DefaultEmbedAddr, "`address` of the embedded NATS server")
	flags.StringVar(&cfg.ID, "id", "", "`ID` of this member (default a fresh one)")
	flags.IntVar(&cfg.Weight, "weight", 1, "share of the keys relative to other members, 1 to 100")
	flags.StringVar(&cfg.HTTP, "http", "", "`address` for health and metrics; a port alone is on 127.0.0.1 (default off)")
	flags.DurationVar(&cfg.Heartbeat, "heartbeat", time.Second, "`interval` at which the member shows that it lives")
	flags.StringVar(&memory, "memory-limit", "auto", "soft limit of this process's memory: a `size` such as 1GiB, auto, or off")
	flags.StringArrayVar(&caches, "cache", nil, "cache to open, as `NAME=ORIGIN[,option=value]...`; may be repeated")
	return cmd
}

// serve runs the node until a signal or its end.
func serve(ctx context.Context, s streams, cfg node.Config) error {
	if cfg.Weight == 0 { // the zero of the configuration is the default, the user's is a mistake
		return usagef("--weight 0: it must be 1 to 100")
	}
	// Two places: the second signal must not get lost while the first is worked on.
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)

	wait := startWait + 2*cfg.Heartbeat // who is alone knows it after one
	starting, cancel := context.WithTimeoutCause(ctx, wait, fmt.Errorf("not joined within %v", wait))
	defer cancel()
	type started struct {
		n   *node.Node
		err error
	}
	up := make(chan started, 1)
	go func() {
		n, err := node.Start(starting, cfg)
		up <- started{n, err}
	}()
	var n *node.Node
	select {
	case r := <-up:
		if r.err != nil {
			return serveHint(r.err, cfg)
		}
		n = r.n
	case sig := <-signals:
		cancel()
		if r := <-up; r.n != nil { // it was quicker
			return leave(r.n, signals, sig, cfg.Logger)
		}
		return fmt.Errorf("stopped by %v before it had joined", sig)
	}
	fmt.Fprintln(s.out, readyLine(n, cfg))
	select {
	case sig := <-signals:
		return leave(n, signals, sig, cfg.Logger)
	case <-ctx.Done():
		return leave(n, signals, nil, cfg.Logger)
	case <-n.Done():
		return n.Err()
	}
}

// readyLine is the one line on stdout: the member serves.
func readyLine(n *node.Node, cfg node.Config) string {
	var names []string
	for _, spec := range cfg.Caches {
		names = append(names, spec.Name)
	}
	line := fmt.Sprintf("ready: member %s of mesh %s on %s, serving %s", n.ID(), cfg.Mesh, n.URL(), strings.Join(names, ", "))
	if addr := n.HTTPAddr(); addr != "" {
		line += ", http://" + addr
	}
	return line
}

// leave leaves in good order, unless a second signal comes or it takes too long.
func leave(n *node.Node, signals <-chan os.Signal, why os.Signal, log *slog.Logger) error {
	if why != nil {
		log.Info("leaving", "signal", why.String())
	}
	ctx, cancel := context.WithTimeout(context.Background(), handOverWait)
	defer cancel()
	left := make(chan error, 1)
	go func() { left <- n.Leave(ctx) }()
	limit, began := time.After(leaveMax), time.Now()
	for {
		select {
		case err := <-left:
			if err != nil {
				return fmt.Errorf("left, but not in good order: %w", err)
			}
			log.Info("left")
			return nil
		case <-limit:
			return fmt.Errorf("not left within %v", leaveMax)
		case sig := <-signals:
			if time.Since(began) > signalEcho {
				return fmt.Errorf("ended by a second signal (%v) before it had left", sig)
			}
		}
	}
}

// serveHint adds what the user can do about a failed start.
func serveHint(err error, cfg node.Config) error {
	switch {
	case errors.Is(err, node.ErrNoNATS):
		return fmt.Errorf("%w: start one, name one with --nats, or let this process bring one with --embed", err)
	case errors.Is(err, node.ErrAddrInUse):
		return fmt.Errorf("%w: to join it drop --embed (--nats nats://%s)", err, cfg.EmbedAddr)
	}
	return err
}
