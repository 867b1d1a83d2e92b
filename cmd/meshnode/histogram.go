package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// histogramWidth is how many characters the longest bar has.
const histogramWidth = 40

// histogramBar is one line of a histogram: what took up to top, and longer than the
// line before.
type histogramBar struct {
	top time.Duration
	n   uint64
}

// histogram sorts latencies into 1-2-5 steps: 1µs, 2µs, 5µs, 10µs and so on, from the
// first that is not empty to the last. A duration within 6% of a step may be on
// the wrong side of it.
func (l *latencies) histogram() []histogramBar {
	var bars []histogramBar
	step := time.Duration(1)
	mantissas := []time.Duration{1, 2, 5}
	at := 0
	for i, n := range l.buckets {
		if n == 0 {
			continue
		}
		middle := (bucketTop(max(i-1, 0)) + bucketTop(i)) / 2
		for step*mantissas[at] < middle {
			if len(bars) > 0 { // no gaps once it has begun
				if last := bars[len(bars)-1].top; last < step*mantissas[at] {
					bars = append(bars, histogramBar{top: step * mantissas[at]})
				}
			}
			if at++; at == len(mantissas) {
				at, step = 0, step*10
			}
		}
		if top := step * mantissas[at]; len(bars) == 0 || bars[len(bars)-1].top < top {
			bars = append(bars, histogramBar{top: top})
		}
		bars[len(bars)-1].n += n
	}
	return bars
}

// drawHistogram draws a line for each bar.
func drawHistogram(w io.Writer, l *latencies) {
	bars := l.histogram()
	var most uint64
	for _, b := range bars {
		most = max(most, b.n)
	}
	for _, b := range bars {
		fmt.Fprintf(w, "%7s %12s %6s  %s\n", b.top, grouped(int(b.n)), share(b.n, l.n), bar(b.n, most))
	}
}

// bar is as long as n is of most, to an eighth of a character. What is not 0 is
// seen.
func bar(n, most uint64) string {
	if n == 0 || most == 0 {
		return ""
	}
	const eighths = 8
	length := max(1, int(float64(n)/float64(most)*histogramWidth*eighths))
	s := strings.Repeat("█", length/eighths)
	if rest := length % eighths; rest > 0 {
		s += string('█' + rune(eighths-rest)) // ▏ to ▉ follow it, the longest first
	}
	return s
}

// share is a percentage.
func share(n, of uint64) string {
	if of == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f%%", 100*float64(n)/float64(of))
}
