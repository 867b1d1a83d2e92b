package main

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// sample is the same measure of several rounds.
type sample []float64

// median is the middle one, the mean of the two in the middle of an even number;
// NaN of none.
func (s sample) median() float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(s))
	mid := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[mid]
	}
	return (sorted[mid-1] + sorted[mid]) / 2
}

// over divides round by round; a round that either lacks is left out. Rounds
// were interleaved, so that what slowed one down slowed its neighbour too.
func (s sample) over(base sample) sample {
	var out sample
	for i := range min(len(s), len(base)) {
		if base[i] != 0 {
			out = append(out, s[i]/base[i])
		}
	}
	return out
}

// spread is the least and the most.
func (s sample) spread() (least, most float64) {
	if len(s) == 0 {
		return math.NaN(), math.NaN()
	}
	return slices.Min(s), slices.Max(s)
}

// ratio is a median with its spread, as a cell of a table. Small ones are written
// with more digits.
func (s sample) ratio() cell {
	if len(s) == 0 {
		return none
	}
	format := "%.2f"
	if s.median() < 0.3 {
		format = "%.3f"
	}
	return s.spreadCell(format, "")
}

// spreadCell is a median with its spread in brackets.
func (s sample) spreadCell(format, unit string) cell {
	c := s.number(format + unit)
	if least, most := s.spread(); len(s) > 1 {
		c.Text += fmt.Sprintf(" ("+format+" to "+format+")", least, most)
	}
	return c
}

// number, count and micros are cells with the median.
func (s sample) number(format string) cell { return s.keep(number(s.median(), format)) }
func (s sample) count() cell               { return s.keep(count(s.median())) }
func (s sample) micros() cell              { return s.keep(micros(s.median())) }

// keep lets a cell know its rounds.
func (s sample) keep(c cell) cell {
	if len(s) > 1 && c.Text != none.Text {
		c.Rounds = s
	}
	return c
}

// number is a cell with a number.
func number(v float64, format string) cell {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return none
	}
	return cell{Text: fmt.Sprintf(format, v), Value: v}
}

// count is a cell with a whole number, in groups of three digits.
func count(v float64) cell {
	if math.IsNaN(v) {
		return none
	}
	digits := fmt.Sprintf("%.0f", v)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return cell{Text: digits, Value: v}
}

// micros is a cell with a duration in microseconds.
func micros(v float64) cell {
	format := "%.1f us"
	if v >= 100 {
		format = "%.0f us"
	}
	return number(v, format)
}

func us(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
