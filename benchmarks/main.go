// Command benchmarks measures cachemesh beside what else a Go service could use:
// groupcache, Redis, plain NATS requests, and the caches of one process.
//
// Every role is a process of its own that this one starts, on loopback, and ends
// again. What came out goes to standard output, or with -out to RESULTS.md and
// chart.svg.
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
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// The most that a run takes. What does not fit is left out, and the page says so.
const (
	fullLimit  = 8 * time.Minute
	quickLimit = 90 * time.Second
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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
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
	quick, json bool
	only        []group
	out         string
}

func parse(args []string, stderr io.Writer) (c choice, err error) {
	var names []string
	for _, g := range groups {
		names = append(names, g.name)
	}
	fs := flag.NewFlagSet("benchmarks", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.BoolVar(&c.quick, "quick", false, "one short round each: shows that everything works, not how fast")
	fs.BoolVar(&c.json, "json", false, "write JSON instead of Markdown")
	only := fs.String("only", "", "measure these groups alone, separated by commas: "+strings.Join(names, ", "))
	fs.StringVar(&c.out, "out", "", "write RESULTS.md and chart.svg to this `folder`; default: Markdown to standard output")
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		return c, err
	} else if err != nil {
		return c, fmt.Errorf("%w: %w", errUsage, err)
	}
	if fs.NArg() > 0 {
		return c, fmt.Errorf("%w: unexpected argument %q: there are flags only", errUsage, fs.Arg(0))
	}
	if *only == "" {
		c.only = groups
		return c, nil
	}
	if c.out != "" {
		return c, fmt.Errorf("%w: -out writes a page of all groups: leave -only out", errUsage)
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
	r := results{Machine: thisMachine(), Quick: c.quick}
	timed, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for _, g := range c.only {
		tables, err := g.run(timed, p)
		if ctx.Err() != nil {
			return fmt.Errorf("interrupted: %w", context.Cause(ctx))
		}
		if timed.Err() != nil {
			err = fmt.Errorf("no time was left of %v", limit)
		}
		if err != nil {
			p.note("%s: %v", g.name, err)
			r.Missing = append(r.Missing, fmt.Sprintf("%s: %v", g.name, err))
			continue
		}
		r.Tables = append(r.Tables, tables...)
	}
	r.Took = time.Since(began)
	if err := write(c, r, stdout); err != nil {
		return err
	}
	if len(r.Missing) > 0 {
		return fmt.Errorf("not measured: %s", strings.Join(r.Missing, "; "))
	}
	return nil
}

// write puts the results where the command line says.
func write(c choice, r results, stdout io.Writer) error {
	if c.json {
		enc := json.NewEncoder(stdout)
		enc.SetIndent("", "  ")
		if err := enc.Encode(r); err != nil {
			return err
		}
	}
	if c.out == "" {
		if c.json {
			return nil
		}
		return page(stdout, r)
	}
	err := toFile(filepath.Join(c.out, "RESULTS.md"), func(w io.Writer) error { return page(w, r) })
	if panels := remotePanels(r.Tables); err == nil && panels != nil {
		err = toFile(filepath.Join(c.out, "chart.svg"), func(w io.Writer) error {
			return chart(w, "Remote gets of 1 KiB a second, against groupcache over HTTP", panels)
		})
	}
	return err
}

func toFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}
