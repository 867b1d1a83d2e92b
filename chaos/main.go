// Command chaos tries to break a mesh of real processes: it starts members and NATS servers, each a process of its own,
// kills, stops and cuts them off while they read and invalidate, and lets testenv/promise judge what was read.
//
// Everything stays on this machine: on the loopback interface, or in network namespaces of its own, which need root
// and the ip command. Every scenario is bounded in time, and no process outlives this one.
//
//	go run . -only kill-idle,stop
//	go run . -out RESULTS.md
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// errUsage is returned when the command line makes no sense.
var errUsage = errors.New("usage")

// errMissed is returned when a scenario misses a target.
var errMissed = errors.New("targets were missed")

// options are the command line.
type options struct {
	quick, keep bool
	only, out   string
	heartbeat   time.Duration
	scenarios   []scenario
}

func main() {
	if len(os.Args) == 3 && (os.Args[1] == roleMember || os.Args[1] == roleServer) {
		if err := child(os.Args[1], os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, "chaos:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

// child is this program as one of its processes.
func child(role, text string) error {
	time.AfterFunc(childLimit, func() { os.Exit(1) })
	if role == roleServer {
		var s serverSpec
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			return err
		}
		return runServer(s, os.Stdin, os.Stdout)
	}
	var m memberSpec
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return err
	}
	epoch = m.Epoch
	return runMember(m, os.Stdin, os.Stdout)
}

func parse(args []string, stderr io.Writer) (o options, err error) {
	fs := flag.NewFlagSet("chaos", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.BoolVar(&o.quick, "quick", false, "shorter: an outage of 8s instead of 60s, 200 joins and leaves instead of 1,000")
	fs.BoolVar(&o.keep, "keep", false, "keep the logs of the processes")
	fs.StringVar(&o.only, "only", "", "run these scenarios alone, `names` separated by commas")
	fs.StringVar(&o.out, "out", "", "write the page of results to this `file`; default: to standard output")
	fs.DurationVar(&o.heartbeat, "heartbeat", 300*time.Millisecond, "of the members; their lease is five of them")
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		return o, err
	} else if err != nil {
		return o, fmt.Errorf("%w: %w", errUsage, err)
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("%w: unexpected argument %q: there are flags only", errUsage, fs.Arg(0))
	}
	if o.heartbeat < 50*time.Millisecond || o.heartbeat > 2*time.Second {
		return o, fmt.Errorf("%w: -heartbeat %v: want 50ms to 2s", errUsage, o.heartbeat)
	}
	if o.scenarios, err = chosen(o.only); err != nil {
		return o, fmt.Errorf("%w: -only: %w", errUsage, err)
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	p := page{Machine: thisMachine(), Options: o}
	begin := time.Now()
	missed := false
	for _, s := range o.scenarios {
		fmt.Fprintf(stderr, "%4.0fs  %s: %s\n", time.Since(begin).Seconds(), s.name, s.fault)
		r := s.try(ctx, o)
		if ctx.Err() != nil {
			return fmt.Errorf("interrupted: %w", context.Cause(ctx))
		}
		p.Rows = append(p.Rows, r)
		missed = missed || r.missed()
		r.brief(stderr)
	}
	p.Took = time.Since(begin)
	if err := p.write(o.out, stdout); err != nil {
		return err
	}
	if missed {
		return errMissed
	}
	return nil
}
