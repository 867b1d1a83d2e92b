package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// page is the results of a run.
type page struct {
	Machine machine
	Options options
	Rows    []row
	Took    time.Duration
}

func (p page) write(file string, stdout io.Writer) error {
	var b bytes.Buffer
	p.print(&b)
	if file == "" {
		_, err := stdout.Write(b.Bytes())
		return err
	}
	return os.WriteFile(file, b.Bytes(), 0o644)
}

func (p page) print(w *bytes.Buffer) {
	how := "go run . -out RESULTS.md"
	if p.Options.quick {
		how = "go run . -quick"
	}
	m := p.Machine
	fmt.Fprintf(w, "# A mesh of real processes under faults\n\n")
	fmt.Fprintf(w, "Written by `%s` in chaos/, on %s, in %v: %s, %d cores, %s, %s; load averages before the run %s.\n", how, m.Date,
		p.Took.Round(time.Second), m.CPU, m.Cores, m.OS, m.Go, m.Load)
	fmt.Fprintf(w, "All processes share this machine, with whatever else runs on it: times are those of a busy machine, and vary.\n\n")
	fmt.Fprintf(w, "Members beat every %v, with a lease of %v. Each reads a random one of %d keys every %v, within %v, and invalidates one of "+
		"%d every %v; a load takes %v unless the row says otherwise.\n\n", p.Options.heartbeat, 5*p.Options.heartbeat, len(allKeys), readEvery,
		readWithin, len(changingKeys), invalidateEvery, loadTakes)
	p.figures(w)
	p.targets(w)
	p.notes(w)
}

func (p page) figures(w io.Writer) {
	fmt.Fprint(w, "## Figures\n\n| scenario | fault | reads | failed | slowest | rerouted p99 | extra loads (most of a key) | stale reads | all agree after | targets |\n"+
		"|---|---|--:|--:|--:|--:|--:|--:|--:|---|\n")
	for _, r := range p.Rows {
		fmt.Fprintf(w, "| %s | %s | %s |\n", r.Name, r.Fault, strings.Join(r.cells(), " | "))
	}
	fmt.Fprint(w, `
- reads, failed, slowest: of the reads that ended after the fault began, on all members. Those of a stopped process that were
  under way while it stood still are left out.
- rerouted: reads on the others, not from their own memory, of keys that the victim owned, until all agreed without it.
- extra loads: of keys that nobody invalidated, beyond the one that each needs, from the first start of a member on.
- stale reads: what testenv/promise found to break the promise: a read that began after an invalidation had returned, of a value
  whose load began before it was called. It sees every read, load and invalidation, by one clock.
- all agree: from the end of the fault, or from the death of a member, until every member counts exactly those who live.
`)
}

// cells are the figures of a row.
func (r *row) cells() []string {
	verdict := "met"
	switch {
	case r.Skipped != "":
		verdict = "not run"
	case r.missed():
		verdict = "**missed**"
	}
	if r.Skipped != "" || r.Reads == 0 {
		return []string{"", "", "", "", "", "", "", verdict}
	}
	rerouted, agree := "", ""
	if r.ReroutedReads > 0 {
		rerouted = round(r.Rerouted).String()
	}
	if r.HasAgree {
		agree = round(r.Agree).String()
	}
	extra := fmt.Sprintf("%d (%d)", r.Extra, r.ExtraMost)
	if r.NotCounted {
		extra = "not counted"
	}
	return []string{fmt.Sprint(r.Reads), fmt.Sprint(r.Failed), round(r.Slowest).String(), rerouted,
		extra, fmt.Sprint(r.Stale), agree, verdict}
}

func (p page) targets(w io.Writer) {
	fmt.Fprint(w, "\n## Targets\n\n| scenario | target | reached | |\n|---|---|---|---|\n")
	for _, r := range p.Rows {
		for _, c := range r.Checks {
			verdict := "met"
			if !c.OK {
				verdict = "**missed**"
			}
			fmt.Fprintf(w, "| %s | %s | %s | %s |\n", r.Name, c.Want, c.Got, verdict)
		}
		if r.Err != "" {
			fmt.Fprintf(w, "| %s | comes to its end | %s | **missed** |\n", r.Name, r.Err)
		}
	}
}

func (p page) notes(w io.Writer) {
	fmt.Fprint(w, "\n## Notes\n\n")
	for _, r := range p.Rows {
		for _, n := range r.remarks() {
			fmt.Fprintf(w, "- %s: %s\n", r.Name, n)
		}
	}
}

func (r *row) remarks() []string {
	list := append([]string(nil), r.Notes...)
	if r.Skipped != "" {
		list = append(list, "not run: "+r.Skipped)
	}
	if len(r.Other) > 0 {
		list = append(list, "the checker also found (100 at most are counted): "+strings.Join(r.Other, ", "))
	}
	return list
}

// brief says in some lines what came of a scenario.
func (r *row) brief(w io.Writer) {
	fmt.Fprintln(w, "       "+strings.Join(r.cells(), " | "))
	for _, c := range r.Checks {
		mark := "ok  "
		if !c.OK {
			mark = "MISS"
		}
		fmt.Fprintf(w, "       %s %s: %s\n", mark, c.Want, c.Got)
	}
	for _, n := range r.remarks() {
		fmt.Fprintln(w, "       ", n)
	}
	if r.Err != "" {
		fmt.Fprintln(w, "       MISS", r.Err)
	}
}
