package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// oneTable is what a group found that measured v.
func oneTable(title string, v float64) []table {
	return []table{{Title: title, Columns: []string{"x"}, Rows: []row{{"r", []cell{sample{v, v}.number("%.0f")}}}}}
}

// faked lets the groups be these for a test.
func faked(t *testing.T, fakes ...group) {
	t.Helper()
	old := groups
	t.Cleanup(func() { groups = old })
	groups = fakes
}

func TestGroupsAreMeasuredAgainAndTheOthersStay(t *testing.T) {
	v := 1.0
	one := func(title string) func(context.Context, plan) ([]table, error) {
		return func(context.Context, plan) ([]table, error) { return oneTable(title, v), nil }
	}
	faked(t, group{"a", time.Minute, one("A")}, group{"b", time.Minute, one("B")})
	folder := t.TempDir()
	run := func(args ...string) {
		t.Helper()
		if err := run(t.Context(), append(args, "-out", folder), &strings.Builder{}, &strings.Builder{}); err != nil {
			t.Fatal(err)
		}
	}
	text := func() string {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(folder, pageFile))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	run("-only", "b")
	run()
	v = 2
	run("-only", "a", "-quick")
	r, err := loadResults(folder)
	if err != nil {
		t.Fatal(err)
	}
	tables := r.tables()
	if len(tables) != 2 || tables[0].Rows[0].Cells[0].Value != 2 || tables[1].Rows[0].Cells[0].Value != 1 || !r.Groups[0].Quick || r.Groups[1].Quick {
		t.Errorf("got %+v, want A again with 2 and B as it was, in this order", r)
	}
	if c := tables[0].Rows[0].Cells[0]; len(c.Rounds) != 2 {
		t.Errorf("the rounds are not kept: %+v", c)
	}
	before := text()
	if err := os.Remove(filepath.Join(folder, pageFile)); err != nil {
		t.Fatal(err)
	}
	run("-page")
	if text() != before {
		t.Errorf("the page made again differs: %s\nbefore: %s", text(), before)
	}
}

func TestAGroupThatFailsLosesNoOther(t *testing.T) {
	broken := errors.New("broken")
	var fails error
	faked(t, group{"a", time.Minute, func(context.Context, plan) ([]table, error) { return oneTable("A", 1), fails }},
		group{"b", time.Millisecond, func(ctx context.Context, _ plan) ([]table, error) { <-ctx.Done(); return nil, ctx.Err() }})
	folder := t.TempDir()
	for _, err := range []error{nil, broken} {
		fails = err
		got := run(t.Context(), []string{"-out", folder}, &strings.Builder{}, &strings.Builder{})
		if got == nil || !strings.Contains(got.Error(), "b: it took longer than 1ms") || strings.Contains(got.Error(), "a: broken") != (err != nil) {
			t.Errorf("got %v", got)
		}
	}
	r, err := loadResults(folder)
	if err != nil || len(r.Groups) != 2 || len(r.Groups[0].Tables) != 1 || r.Groups[0].Failed != "" || r.Groups[1].Failed == "" {
		t.Errorf("got %+v, %v; want what A measured before, and why B failed", r, err)
	}
}

func TestTheBoundsOfTheGroupsFitIntoARun(t *testing.T) {
	var sum time.Duration
	for _, g := range groups {
		sum += g.most
	}
	if sum > fullLimit {
		t.Errorf("%v in all, and a run takes at most %v", sum, fullLimit)
	}
}

func TestAnInterruptedRunKeepsWhatItHas(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	faked(t, group{"a", time.Minute, func(context.Context, plan) ([]table, error) { return oneTable("A", 1), nil }},
		group{"b", time.Minute, func(context.Context, plan) ([]table, error) { cancel(); return nil, ctx.Err() }})
	folder := t.TempDir()
	if err := run(ctx, []string{"-out", folder}, &strings.Builder{}, &strings.Builder{}); err == nil || !strings.Contains(err.Error(), "interrupted in b") {
		t.Errorf("got %v", err)
	}
	if r, err := loadResults(folder); err != nil || len(r.Groups) != 1 || r.Groups[0].Name != "a" {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestRoundsEndWhenTheTimeIsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			left  time.Duration
			share float64
			want  int
		}{{time.Hour, 1, 5}, {45 * time.Second, 1, 4}, {45 * time.Second, 0.5, 2}, {time.Second, 1, 1}} {
			ctx, cancel := context.WithTimeout(t.Context(), c.left)
			n := 0
			for range upTo(ctx, 5, c.share) {
				time.Sleep(10 * time.Second)
				n++
			}
			cancel()
			if n != c.want {
				t.Errorf("%d rounds of 10s in %v of %v, want %d", n, c.share, c.left, c.want)
			}
		}
	})
}
