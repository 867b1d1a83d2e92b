package main

import "testing"

func TestAnAimIsReachedHalfReachedOrMissed(t *testing.T) {
	more, less := aim{least: 2, best: 3}, aim{least: 1.25, best: 1.1, lower: true}
	for _, c := range []struct {
		a    aim
		v    float64
		want string
	}{
		{more, 3, "aim"}, {more, 2.5, "at least"}, {more, 2, "at least"}, {more, 1.9, "**missed**"},
		{less, 1.1, "aim"}, {less, 1.2, "at least"}, {less, 1.25, "at least"}, {less, 1.3, "**missed**"}, {less, 0, "aim"},
	} {
		if got := c.a.verdict(c.v); got != c.want {
			t.Errorf("%v of %+v: %s, want %s", c.v, c.a, got, c.want)
		}
	}
}

func TestAnAimOfAllRowsIsAboutTheWorst(t *testing.T) {
	tables := []table{{Title: "other"}, {Title: "T", Columns: []string{"y", "x"}, Rows: []row{
		{"a", []cell{none, number(2, "%.0f")}}, {"b", []cell{none, number(-1, "%.0f")}}, {"c", []cell{none, none}}}}}
	for _, c := range []struct {
		a    aim
		want float64
	}{{aim{title: "T", column: "x"}, -1}, {aim{title: "T", column: "x", lower: true}, 2}, {aim{title: "T", row: "a", column: "x"}, 2}} {
		if got, ok := c.a.find(tables); !ok || got.Value != c.want {
			t.Errorf("%+v: %+v, %v; want %v", c.a, got, ok, c.want)
		}
	}
	for _, a := range []aim{{title: "T", column: "y"}, {title: "T", row: "d", column: "x"}, {title: "U", column: "x"}} {
		if c, ok := a.find(tables); ok {
			t.Errorf("%+v: %+v, though nothing was measured", a, c)
		}
	}
}

func TestTheTableOfAimsLeavesOutWhatWasNotMeasured(t *testing.T) {
	got := aimsTable([]table{{Title: herdTitle, Columns: []string{"loads, the most", "time"}, Rows: []row{{nameMesh, []cell{count(1), number(60, "%.0f ms")}}}}})
	if len(got.Rows) != 2 || got.Rows[0].Cells[3].Text != "aim" || got.Rows[1].Cells[3].Text != "at least" {
		t.Errorf("got %+v", got.Rows)
	}
}
