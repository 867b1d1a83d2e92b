// Command benchmarks measures cachemesh beside what else a Go service could use:
// groupcache, Redis, plain NATS requests, and the caches of one process.
//
// Every role is a process of its own that this one starts, on loopback, and ends
// again. What came out goes to standard output as Markdown, or with -out to
// results.json, RESULTS.md and chart.svg.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// The most that a run takes. What does not fit is left out, and the page says so.
const (
	fullLimit  = 24 * time.Minute
	quickLimit = 170 * time.Second
)

// errUsage is returned when the command line makes no sense.
var errUsage = errors.New("usage")

func main() {
	if len(os.Args) == 3 && os.Args[1] == workerArg {
		if err := worker(os.Args[2], os.Stdin, os.Stdout); err != nil {
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, "benchmarks:", err)
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "benchmarks:", err)
		os.Exit(1)
	}
}

// choice is the command line.
type choice struct {
	quick, json, page bool
	only              []group
	out               string
	profiles          string
}

func parse(args []string, stderr io.Writer) (c choice, err error) {
	var names []string
	for _, g := range groups {
		names = append(names, g.name)
	}
	fs := flag.NewFlagSet("benchmarks", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.BoolVar(&c.quick, "quick", false, "one short round each: shows that everything works, not how fast")
	fs.BoolVar(&c.json, "json", false, "write JSON instead of Markdown to standard output")
	fs.BoolVar(&c.page, "page", false, "measure nothing: write the page and the chart again from the results in the folder of -out")
	only := fs.String("only", "", "measure these `groups` alone, separated by commas: "+strings.Join(names, ", "))
	fs.StringVar(&c.out, "out", "", "write "+resultsFile+", "+pageFile+" and "+chartFile+" to this `folder`; groups that are not measured stay as they are there")
	fs.StringVar(&c.profiles, "profiles", "", "write CPU profiles of the remote gets of 64 callers to this `folder`, one for each process, and measure nothing else")
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		return c, err
	} else if err != nil {
		return c, fmt.Errorf("%w: %w", errUsage, err)
	}
	switch {
	case fs.NArg() > 0:
		return c, fmt.Errorf("%w: unexpected argument %q: there are flags only", errUsage, fs.Arg(0))
	case c.page && (c.out == "" || *only != "" || c.quick):
		return c, fmt.Errorf("%w: -page measures nothing: it takes -out alone", errUsage)
	case c.profiles != "" && (c.out != "" || *only != "" || c.json):
		return c, fmt.Errorf("%w: -profiles makes no results: leave -out, -only and -json out", errUsage)
	}
	if *only == "" {
		c.only = groups
		return c, nil
	}
	for name := range strings.SplitSeq(*only, ",") {
		found := false
		for _, g := range groups {
			if g.name == strings.TrimSpace(name) {
				c.only, found = append(c.only, g), true
			}
		}
		if !found {
			return c, fmt.Errorf("%w: -only: no group is named %q: there are %s", errUsage, name, strings.Join(names, ", "))
		}
	}
	return c, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	c, err := parse(args, stderr)
	if err != nil {
		return err
	}
	p, limit := full(), fullLimit
	if c.quick {
		p, limit = quick(), quickLimit
	}
	began := time.Now()
	p.note = func(format string, args ...any) {
		fmt.Fprintf(stderr, "%5.0fs  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no time was left of %v", limit))
	defer cancel()
	if c.profiles != "" {
		return profileRemote(ctx, p, c.profiles)
	}
	var r results
	if c.out != "" {
		if r, err = loadResults(c.out); err != nil {
			return err
		}
	}
	if c.page {
		return r.save(c.out)
	}
	var failed []string
	for _, g := range c.only {
		m := measure(ctx, g, p)
		if errors.Is(ctx.Err(), context.Canceled) {
			return errors.Join(fmt.Errorf("interrupted in %s", g.name), r.saveIf(c.out))
		}
		if m.Failed != "" {
			p.note("%s: %s", g.name, m.Failed)
			failed = append(failed, g.name+": "+m.Failed)
		}
		r.put(m)
		// After each group, so that an interruption loses one at most.
		if err := r.saveIf(c.out); err != nil {
			return err
		}
	}
	switch {
	case c.json:
		err = r.encode(stdout)
	case c.out == "":
		err = page(stdout, r)
	}
	if err != nil {
		return err
	}
	if len(failed) > 0 {
		return fmt.Errorf("not measured: %s", strings.Join(failed, "; "))
	}
	return nil
}

// measure runs one group within its own bound.
func measure(ctx context.Context, g group, p plan) measurement {
	ctx, cancel := context.WithTimeoutCause(ctx, g.most, fmt.Errorf("it took longer than %v", g.most))
	defer cancel()
	m := measurement{Name: g.name, Quick: p.quick, Machine: thisMachine()}
	began := time.Now()
	tables, err := g.run(ctx, p)
	m.Took = time.Since(began)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w (%w)", context.Cause(ctx), err)
	}
	if err != nil {
		m.Failed = err.Error()
		return m
	}
	m.Tables = tables
	return m
}

// saveIf saves where there is a folder to save to.
func (r results) saveIf(folder string) error {
	if folder == "" {
		return nil
	}
	return r.save(folder)
}
