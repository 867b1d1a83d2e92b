package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// results is all that a run has found.
type results struct {
	Machine machine
	Quick   bool
	Took    time.Duration
	Tables  []table
	Missing []string `json:",omitempty"` // groups that failed or for which no time was left, and why
}

// page writes the results as Markdown. Every line of a table is written in the
// same way, whoever is ahead in it.
func page(w io.Writer, r results) error {
	var b strings.Builder
	b.WriteString("# Results\n\nWritten by `make -C benchmarks`; not edited by hand.\n\n")
	fmt.Fprintf(&b, "%s, %d processors, %s, %s, %s", r.Machine.CPU, r.Machine.Cores, r.Machine.OS, r.Machine.Go, r.Machine.Date)
	if r.Machine.Load != "" {
		fmt.Fprintf(&b, "; load averages before the run: %s", r.Machine.Load)
	}
	b.WriteString(".\n")
	if len(r.Machine.Versions) > 0 {
		fmt.Fprintf(&b, "%s.\n", strings.Join(r.Machine.Versions, ", "))
	}
	b.WriteString("\nEvery role is a process of its own, all of them on this one machine over loopback, so that servers, owners and callers share " +
		"its processors. Rounds are interleaved and nobody is always first. Numbers are medians of the rounds; ratios are " +
		"taken within a round, and their spread is in brackets.\n")
	if r.Quick {
		b.WriteString("\n**A quick run: one short round each. It shows that everything works, not how fast.**\n")
	}
	for _, m := range r.Missing {
		fmt.Fprintf(&b, "\nNot measured: %s\n", m)
	}
	for _, t := range r.Tables {
		writeTable(&b, t)
	}
	fmt.Fprintf(&b, "\nThe run took %v.\n", r.Took.Round(time.Second))
	_, err := io.WriteString(w, b.String())
	return err
}

func writeTable(b *strings.Builder, t table) {
	fmt.Fprintf(b, "\n## %s\n\n%s\n\n| | %s |\n|---|%s\n", t.Title, t.Text, strings.Join(t.Columns, " | "), strings.Repeat("---:|", len(t.Columns)))
	for _, r := range t.Rows {
		fmt.Fprintf(b, "| %s |", r.Name)
		for _, c := range r.Cells {
			fmt.Fprintf(b, " %s |", c.Text)
		}
		b.WriteByte('\n')
	}
	for _, n := range t.Notes {
		fmt.Fprintf(b, "\n%s\n", n)
	}
}
