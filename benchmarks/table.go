package main

import "slices"

// table is one group of results.
type table struct {
	Title   string
	Text    string // what was measured, how, and what to know when reading it
	Columns []string
	Rows    []row
	Notes   []string `json:",omitempty"` // what was left out, and why
}

// row is one line of a table. Its cells stand under all columns but the first.
type row struct {
	Name  string
	Cells []cell
}

// cell is one number with the way to write it.
type cell struct {
	Text  string
	Value float64 `json:",omitempty"`

	// Rounds are what Value is the median of, in their order.
	Rounds []float64 `json:",omitempty"`
}

// none is the cell of what was not measured.
var none = cell{Text: "-"}

func words(text string) cell { return cell{Text: text} }

// find is the cell of a row under a column.
func (t table) find(rowName, column string) (cell, bool) {
	at := slices.Index(t.Columns, column)
	for _, r := range t.Rows {
		if r.Name == rowName && at >= 0 && at < len(r.Cells) && r.Cells[at].Text != none.Text {
			return r.Cells[at], true
		}
	}
	return none, false
}
