package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/testenv/promise"
)

func TestAMemberCountsAnotherOnlyWhereItSawSoBeforeAndAfter(t *testing.T) {
	m := told{id: "a", seen: 90, views: []view{
		{From: 10, Members: []string{"a", "b"}},
		{From: 50, Before: 40, Members: []string{"a"}},
		{From: 70, Before: 60, Members: []string{"a", "b"}},
	}}
	for at, want := range map[time.Duration]bool{5: false, 10: true, 40: true, 45: false, 55: false, 65: false, 70: true, 90: true, 91: false} {
		if got := m.counts("b", at); got != want {
			t.Errorf("at %d: %v, want %v", at, got, want)
		}
	}
}

// staleHistory is an invalidation on a from 20 to 30, and a read on b, from 40, of what was loaded at 10.
func staleHistory(counted ...string) promise.History {
	a := told{id: "a", seen: 100, views: []view{{From: 1, Members: []string{"a"}}},
		invalidations: []invalidation{{Number: 1, Keys: []string{"k"}, Start: 20, End: 30, Counted: counted}}}
	b := told{id: "b", seen: 100, reads: []read{{Key: "k", Start: 40, End: 50, Load: 1}}}
	return historyOf([]told{a, b}, []promise.Load{{Number: 1, Key: "k", Member: "b", Began: 10, Ended: 12}})
}

func TestAStaleReadOnACountedMemberIsFound(t *testing.T) {
	if found := promise.Check(staleHistory("a", "b"), promise.Invalidated); len(found) != 1 {
		t.Errorf("found %v", found)
	}
}

func TestAStaleReadOnAMemberThatIsApartBreaksNoPromiseAndIsCounted(t *testing.T) {
	h := staleHistory("a")
	if found := promise.Check(h, promise.Invalidated); len(found) != 0 {
		t.Errorf("found %v", found)
	}
	if n := staleAnywhere(h, 35); n != 1 {
		t.Errorf("%d stale anywhere", n)
	}
	if n := staleAnywhere(h, 45); n != 0 {
		t.Errorf("%d stale anywhere, and the read began before", n)
	}
}

func TestAnInvalidationWithoutAnEndBindsNobodyAndExcusesLoads(t *testing.T) {
	p := invalidation{Keys: []string{"k"}, Start: 20}.judged("a")
	if p.Outcome != promise.Failed || p.End <= p.Start {
		t.Errorf("%+v", p)
	}
}

func TestAValueThatTheOriginDidNotMakeIsNoticed(t *testing.T) {
	for _, value := range []string{"", "rubbish", string(valueOf(1, 2, 3, "other"))} {
		if n := loadOf([]byte(value), "k"); n != 0 {
			t.Errorf("%q: load %d", value, n)
		}
	}
	if n := loadOf(valueOf(7, 2, 3, "k"), "k"); n != 7 {
		t.Errorf("load %d, want 7", n)
	}
	b := told{id: "b", reads: []read{{Key: "k", Start: 1, End: 2}}}
	if found := promise.Check(historyOf([]told{b}, nil), promise.Genuine); len(found) != 1 {
		t.Errorf("found %v", found)
	}
}

func TestPercentiles(t *testing.T) {
	var d []time.Duration
	for i := range 100 {
		d = append(d, time.Duration(100-i))
	}
	if p := percentile(d, 0.5); p != 51 {
		t.Errorf("p50 %d", p)
	}
	if p := percentile(d, 0.99); p != 100 {
		t.Errorf("p99 %d", p)
	}
	if p := percentile(nil, 0.99); p != 0 {
		t.Errorf("of nothing %d", p)
	}
}

func TestATargetThatIsMissedIsShownAsMissed(t *testing.T) {
	r := row{Name: "x", Reads: 1}
	r.check(true, "this", "1")
	if r.missed() {
		t.Error("nothing was missed")
	}
	r.check(false, "that", "%d", 2)
	var b strings.Builder
	page{Rows: []row{r}}.figures(&b)
	page{Rows: []row{r}}.targets(&b)
	if !r.missed() || strings.Count(b.String(), "**missed**") != 2 {
		t.Error(b.String())
	}
}

func TestTheCommandLineIsRefusedByName(t *testing.T) {
	for _, args := range []string{"-only nonsense", "-heartbeat 1ms", "rest", "-unknown"} {
		var b strings.Builder
		if _, err := parse(strings.Fields(args), &b); err == nil || !strings.Contains(err.Error(), strings.TrimPrefix(strings.Fields(args)[0], "-")) {
			t.Errorf("%q: %v", args, err)
		}
	}
	if o, err := parse([]string{"-only", "stop, churn"}, new(strings.Builder)); err != nil || len(o.scenarios) != 2 {
		t.Errorf("%v, %v", fmt.Sprint(len(o.scenarios)), err)
	}
}
