package main

import (
	"fmt"
	"io"
	"time"
)

// progress prints a line a second until stop is closed.
func (b *bench) progress(w io.Writer, began time.Time) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	last, lastAt := &benchTally{}, began
	for {
		select {
		case <-b.stop:
			return
		case <-tick.C:
		}
		now, at := b.sum(), time.Now()
		counts, before := now.counts(), last.counts()
		ops := float64(counts.operations()-before.operations()) / at.Sub(lastAt).Seconds()
		reads := now.reads().since(last.reads())
		line := fmt.Sprintf("%5.1fs  %s operations/s", at.Sub(began).Seconds(), grouped(int(ops)))
		if reads.n > 0 {
			line += fmt.Sprintf(", reads p50 %s, p99 %s", rough(reads.quantile(0.5)), rough(reads.quantile(0.99)))
		}
		if n := counts.notFound - before.notFound; n > 0 {
			line += fmt.Sprintf(", %s not found", grouped(int(n)))
		}
		fmt.Fprintf(w, "%s, %s failed\n", line, grouped(int(counts.errors-before.errors)))
		last, lastAt = now, at
	}
}
