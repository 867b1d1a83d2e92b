package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

// benchResult is what a benchmark came to.
type benchResult struct {
	benchConfig
	mesh, url   string
	owners      int           // members that may own keys
	elapsed     time.Duration // until no operation began any more
	inTime      benchCounts   // what had ended then
	interrupted bool
	*benchTally // what ended afterwards included
}

// title says what is done.
func (r *benchResult) title() string {
	pattern := "all alike"
	if r.zipf > 0 {
		pattern = fmt.Sprintf("Zipf %v", r.zipf)
	}
	line := fmt.Sprintf("cache %s of mesh %s at %s, %s: %s, %s (%s), for %v", r.cache, r.mesh, r.url,
		counted(r.owners, "owner"), counted(r.callers, "caller"), counted(r.keys, "key"), pattern, r.duration)
	if r.invalidate > 0 {
		line += fmt.Sprintf(", %v%% invalidate", r.invalidate)
	}
	if r.fresh > 0 {
		line += fmt.Sprintf(", %v%% fresh", r.fresh)
	}
	if !r.replicas {
		line += ", no replicas here"
	}
	return line
}

func (r *benchResult) perSecond(n uint64) float64 { return float64(n) / r.elapsed.Seconds() }

// print prints the result for people.
func (r *benchResult) print(to io.Writer) error {
	var w bytes.Buffer
	reads := r.reads()
	line := func(cells ...any) { fmt.Fprintf(&w, "%-24s %12s %6s %9s %9s %9s %9s %9s\n", cells...) }
	row := func(name string, l *latencies, of string) {
		if l.n > 0 {
			line(name, grouped(int(l.n)), of, rough(l.quantile(0.5)), rough(l.quantile(0.9)), rough(l.quantile(0.99)),
				rough(l.quantile(0.999)), rough(l.max))
		}
	}
	fmt.Fprintln(&w)
	if reads.n+r.invalidations.n > 0 {
		line("reads answered", "", "share", "p50", "p90", "p99", "p99.9", "max")
	}
	for _, s := range sources {
		l := &r.bySource[s.source]
		row(s.name, l, share(l.n, reads.n))
	}
	row("not found", &r.notFound, share(r.notFound.n, reads.n))
	row("all", reads, share(reads.n, reads.n))
	row("invalidations", &r.invalidations, "")
	if reads.n > 0 {
		fmt.Fprintln(&w, "\nreads that took up to")
		drawHistogram(&w, reads)
	}
	if reads.n+r.invalidations.n > 0 {
		fmt.Fprintln(&w)
	}
	ended := ""
	if r.interrupted {
		ended = ", ended early"
	}
	fmt.Fprintf(&w, "%-12s %s/s over %v%s\n", "operations", grouped(int(r.perSecond(r.inTime.operations()))), r.elapsed.Round(10*time.Millisecond), ended)
	fmt.Fprintf(&w, "%-12s %s, %s/s, %s on average\n", "values", size(int64(r.bytes)), size(int64(r.perSecond(r.inTime.bytes))), size(int64(r.meanBytes())))
	if r.stale > 0 {
		fmt.Fprintf(&w, "%-12s %s of the answers, %s\n", "stale", grouped(int(r.stale)), share(r.stale, reads.n))
	}
	if r.unfinished > 0 {
		fmt.Fprintf(&w, "%-12s %s had not ended %v after the rest\n", "unfinished", counted(r.unfinished, "operation"), benchEndWait)
	}
	fmt.Fprintf(&w, "%-12s %s\n", "errors", grouped(int(r.counts().errors)))
	for _, kind := range r.kinds() {
		f := r.failed[kind]
		fmt.Fprintf(&w, "  %s %s, the first: %s\n", grouped(int(f.n)), kind, oneLine(f.first))
	}
	_, err := to.Write(w.Bytes())
	return err
}

// meanBytes is the size of an average value that was read; 0 where none was.
func (r *benchResult) meanBytes() float64 {
	counts := r.counts()
	return float64(r.bytes) / float64(max(counts.reads-counts.notFound, 1))
}

// kinds are the kinds of errors, the most frequent first.
func (r *benchResult) kinds() []string {
	kinds := slices.Sorted(maps.Keys(r.failed))
	slices.SortStableFunc(kinds, func(a, b string) int { return int(r.failed[b].n) - int(r.failed[a].n) })
	return kinds
}

// err is why the benchmark has failed.
func (r *benchResult) err() error {
	counts := r.counts()
	switch {
	case counts.errors > 0:
		return fmt.Errorf("%s of %s failed, most often: %s", grouped(int(counts.errors)), counted(int(counts.operations()), "operation"), r.kinds()[0])
	case counts.operations() == 0 && !r.interrupted:
		return fmt.Errorf("no operation ended within %v", r.elapsed.Round(10*time.Millisecond)+benchEndWait)
	}
	return nil
}
