package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// page writes the results as Markdown. Every line of a table is written in the
// same way, whoever is ahead in it.
func page(w io.Writer, r results) error {
	var b strings.Builder
	b.WriteString("# Results\n\nWritten by `make -C benchmarks`; not edited by hand. [README.md](README.md) says how to read it.\n\n")
	main := newest(r.Groups)
	fmt.Fprintf(&b, "%s.\n", main.title())
	b.WriteString("\nEvery role is a process of its own, all of them on this one machine over loopback, so that servers, owners and callers share " +
		"its processors. Rounds are interleaved and nobody is always first. Numbers are medians of the rounds; ratios are " +
		"taken within a round, and their spread is in brackets: the least and the most. " + resultsFile + " has every round.\n")
	for _, m := range r.Groups {
		if m.Failed != "" {
			fmt.Fprintf(&b, "\n**Not measured: %s**: %s\n", m.Name, m.Failed)
		}
	}
	if t := aimsTable(r.tables()); len(t.Rows) > 0 {
		writeTable(&b, t)
	}
	for _, m := range r.Groups {
		for _, t := range m.Tables {
			writeTable(&b, t)
		}
		if len(m.Tables) > 0 {
			writeOrigin(&b, m, main)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// newest is the machine of the latest measurement.
func newest(all []measurement) (m machine) {
	for _, one := range all {
		if one.Machine.Date >= m.Date {
			m = one.Machine
		}
	}
	return m
}

// writeOrigin says when a group was measured, and on what if not on the machine
// at the head of the page.
func writeOrigin(b *strings.Builder, m measurement, main machine) {
	fmt.Fprintf(b, "\n*Group %s, %s, in %v", m.Name, m.Machine.Date, m.Took.Round(time.Second))
	if m.Machine.Load != "" {
		fmt.Fprintf(b, "; load averages before: %s", m.Machine.Load)
	}
	b.WriteString(".*\n")
	if m.Quick {
		b.WriteString("**A quick run: one short round each. It shows that everything works, not how fast.**\n")
	}
	if !m.Machine.same(main) {
		fmt.Fprintf(b, "**Measured with: %s.**\n", m.Machine.title())
	}
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
