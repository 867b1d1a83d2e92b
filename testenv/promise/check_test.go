package promise

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func load(n uint64, member string, began, ended time.Duration) Load {
	return Load{Number: n, Key: "k", Member: member, Began: began, Ended: ended}
}

func get(member string, start, end time.Duration, load uint64) Get {
	return Get{Key: "k", Member: member, Start: start, End: end, Load: load}
}

func inv(member string, start, end time.Duration, counted ...string) Invalidation {
	return Invalidation{Keys: []string{"k"}, Member: member, Start: start, End: end, Counted: counted}
}

func with[T any](v T, change func(*T)) T { change(&v); return v }

// partial is an invalidation that the missing have not confirmed.
func partial(i Invalidation, missing ...string) Invalidation {
	i.Outcome, i.Missing = Partial, missing
	return i
}

func outcome(i Invalidation, o Outcome) Invalidation { i.Outcome = o; return i }

func TestHistories(t *testing.T) {
	old, young := load(1, "a", 1, 2), load(2, "a", 15, 16)
	all := []Interval{{0, 1000}}
	tests := map[string]struct {
		h     History
		rules []Rule
		want  string // names of the broken rules
	}{
		"an empty history": {},
		"a stale read on a counted member": {
			h:    History{Loads: []Load{old}, Invalidations: []Invalidation{inv("a", 10, 20, "a", "b")}, Gets: []Get{get("b", 21, 22, 1)}},
			want: "Invalidated",
		},
		"a stale read on the caller": {
			h:    History{Loads: []Load{old}, Invalidations: []Invalidation{inv("a", 10, 20, "a", "b")}, Gets: []Get{get("a", 21, 22, 1)}},
			want: "Invalidated OwnInvalidation",
		},
		"a stale read after Clear": {
			h: History{Loads: []Load{old}, Gets: []Get{get("b", 21, 22, 1)},
				Invalidations: []Invalidation{with(inv("a", 10, 20, "b"), func(i *Invalidation) { i.Keys = nil })}},
			want: "Invalidated",
		},
		"a stale read of a value with an invalidated tag": {
			h: History{Loads: []Load{with(old, func(l *Load) { l.Tags = []string{"s", "t"} })}, Gets: []Get{get("b", 21, 22, 1)},
				Invalidations: []Invalidation{with(inv("a", 10, 20, "b"), func(i *Invalidation) { i.Keys, i.Tags = nil, []string{"t"} })}},
			want: "Invalidated",
		},
		"another tag, and the value of another load": {
			h: History{Loads: []Load{with(old, func(l *Load) { l.Tags = []string{"s"} })}, Gets: []Get{get("b", 21, 22, 1)},
				Invalidations: []Invalidation{with(inv("a", 10, 20, "b"), func(i *Invalidation) { i.Keys, i.Tags = nil, []string{"t"} })}},
		},
		"an earlier invalidation binds still": {
			h: History{Loads: []Load{load(1, "a", 7, 8)}, Gets: []Get{get("b", 41, 42, 1)},
				Invalidations: []Invalidation{inv("a", 10, 20, "b"), inv("c", 5, 30, "b")}},
			want: "Invalidated",
		},
		"a load that began while the invalidation ran": {
			h: History{Loads: []Load{young}, Invalidations: []Invalidation{inv("a", 10, 20, "a", "b")}, Gets: []Get{get("b", 21, 22, 2)}},
		},
		"a get that started before the invalidation returned": {
			h: History{Loads: []Load{old}, Invalidations: []Invalidation{inv("a", 10, 20, "a", "b")}, Gets: []Get{get("b", 19, 30, 1), get("b", 20, 30, 1)}},
		},
		"an uncounted member": {
			h: History{Loads: []Load{old}, Invalidations: []Invalidation{inv("a", 10, 20, "a")}, Gets: []Get{get("b", 21, 22, 1)}},
		},
		"another key": {
			h: History{Loads: []Load{old}, Gets: []Get{get("b", 21, 22, 1)},
				Invalidations: []Invalidation{with(inv("a", 10, 20, "b"), func(i *Invalidation) { i.Keys = []string{"x"} })}},
		},
		"a member that is counted later": {
			h: History{Loads: []Load{old}, Invalidations: []Invalidation{inv("a", 10, 20, "a")},
				Gets: []Get{with(get("b", 21, 22, 1), func(g *Get) { g.CountedBy = []string{"a"} })}},
			want: "Invalidated",
		},
		"a partial one and a member that it lists": {
			h: History{Loads: []Load{old}, Invalidations: []Invalidation{partial(inv("a", 10, 20, "a", "b", "c"), "b")}, Gets: []Get{get("b", 21, 22, 1)}},
		},
		"a partial one and a member that it does not list": {
			h:    History{Loads: []Load{old}, Invalidations: []Invalidation{partial(inv("a", 10, 20, "a", "b", "c"), "b")}, Gets: []Get{get("c", 21, 22, 1)}},
			want: "Invalidated",
		},
		"a partial one and its caller": {
			h:    History{Loads: []Load{old}, Invalidations: []Invalidation{partial(inv("a", 10, 20, "a", "b"), "b")}, Gets: []Get{get("a", 21, 22, 1)}},
			want: "Invalidated OwnInvalidation",
		},
		"a failed one binds its caller alone": {
			h: History{Loads: []Load{old}, Invalidations: []Invalidation{outcome(inv("a", 10, 20, "a", "b"), Failed)},
				Gets: []Get{get("a", 21, 22, 1), get("b", 21, 22, 1)}},
			want: "OwnInvalidation",
		},
		"a refused one binds nobody": {
			h: History{Loads: []Load{old}, Invalidations: []Invalidation{outcome(inv("a", 10, 20, "a", "b"), Refused)},
				Gets: []Get{get("a", 21, 22, 1), get("b", 21, 22, 1)}},
		},
		"a get that failed or found nothing": {
			h: History{Loads: []Load{old}, Invalidations: []Invalidation{inv("a", 10, 20, "a", "b")},
				Gets: []Get{get("a", 21, 22, 0), with(get("b", 21, 22, 1), func(g *Get) { g.Err = errors.New("no") })}},
		},
		"overlapping loads on one member": {
			h:    History{Loads: []Load{load(1, "a", 1, 10), load(2, "a", 5, 6)}},
			want: "OneLoadPerMember",
		},
		"an endless load": {
			h:    History{Loads: []Load{load(1, "a", 1, 0), load(2, "a", 500, 501)}},
			want: "OneLoadPerMember",
		},
		"overlapping loads on two members": {
			h: History{Loads: []Load{load(1, "a", 1, 10), load(2, "b", 5, 6)}},
		},
		"overlapping loads on two members in a steady time": {
			h:    History{Loads: []Load{load(1, "a", 1, 10), load(2, "b", 5, 6)}, Steady: all},
			want: "OneLoadWhenSteady",
		},
		"overlapping loads, of which one began before it was steady": {
			h: History{Loads: []Load{load(1, "a", 1, 10), load(2, "b", 5, 6)}, Steady: []Interval{{2, 100}}},
		},
		"loads one after the other": {
			h: History{Loads: []Load{load(1, "a", 1, 10), load(2, "a", 10, 12), load(3, "b", 13, 14)}, Steady: all},
		},
		"loads of two keys": {
			h: History{Loads: []Load{load(1, "a", 1, 10), with(load(2, "a", 5, 6), func(l *Load) { l.Key = "x" })}, Steady: all},
		},
		"an invalidation between": {
			h: History{Loads: []Load{load(1, "a", 1, 10), load(2, "a", 5, 6)}, Invalidations: []Invalidation{inv("b", 2, 3)}, Steady: all},
		},
		"an invalidation before both": {
			h:    History{Loads: []Load{load(1, "a", 11, 20), load(2, "a", 15, 16)}, Invalidations: []Invalidation{inv("b", 2, 3)}},
			want: "OneLoadPerMember",
		},
		"an invalidation between the asking for the first and its beginning": {
			h: History{Loads: []Load{load(1, "a", 11, 20), load(2, "a", 15, 16)}, Invalidations: []Invalidation{inv("b", 8, 9)}, Steady: all,
				Gets: []Get{get("b", 1, 5, 0), get("b", 7, 21, 1), get("a", 10, 21, 1)}},
		},
		"an invalidation before the first was asked for": {
			h: History{Loads: []Load{load(1, "a", 11, 20), load(2, "a", 15, 16)}, Invalidations: []Invalidation{inv("b", 2, 3)},
				Gets: []Get{get("b", 1, 5, 0), get("b", 7, 21, 1)}},
			want: "OneLoadPerMember",
		},
		"an invalidation after both began": {
			h:    History{Loads: []Load{load(1, "a", 1, 10), load(2, "a", 5, 9)}, Invalidations: []Invalidation{inv("b", 6, 7)}},
			want: "OneLoadPerMember",
		},
		"a partial invalidation goes on": {
			h: History{Loads: []Load{load(1, "a", 11, 20), load(2, "a", 15, 16)}, Invalidations: []Invalidation{partial(inv("b", 2, 3), "a")}},
		},
		"a long invalidation between, and a short one before": {
			h: History{Loads: []Load{load(1, "a", 50, 60), load(2, "a", 55, 56)}, Invalidations: []Invalidation{inv("b", 1, 100), inv("b", 2, 3)}},
		},
		"Clear between": {
			h: History{Loads: []Load{load(1, "a", 1, 10), load(2, "a", 5, 6)},
				Invalidations: []Invalidation{with(inv("b", 2, 3), func(i *Invalidation) { i.Keys = nil })}, Steady: all},
		},
		"a fresh get": {
			h: History{Loads: []Load{load(1, "a", 1, 10), load(2, "a", 5, 6)}, Steady: all,
				Gets: []Get{with(get("a", 4, 7, 2), func(g *Get) { g.Fresh = true })}},
		},
		"a cancelled load": {
			h: History{Loads: []Load{with(load(1, "a", 1, 10), func(l *Load) { l.Cancelled = true }), load(2, "a", 5, 6)}, Steady: all},
		},
		"a value that was set": {
			h: History{Loads: []Load{load(1, "a", 1, 10), with(load(2, "a", 5, 0), func(l *Load) { l.Set = true })}, Steady: all},
		},
		"a value of another key": {
			h:    History{Loads: []Load{with(old, func(l *Load) { l.Key = "x" })}, Gets: []Get{get("a", 3, 4, 1)}},
			want: "Genuine",
		},
		"a value that nobody loaded": {h: History{Gets: []Get{get("a", 3, 4, 7)}}, want: "Genuine"},
		"a value from the future": {
			h:    History{Loads: []Load{load(1, "a", 9, 10)}, Gets: []Get{get("a", 3, 4, 1)}},
			want: "Genuine",
		},
		"an old value": {
			h:     History{Loads: []Load{old}, Gets: []Get{get("a", 11, 30, 1), get("a", 12, 30, 1)}},
			rules: []Rule{BoundedAge(10)},
			want:  "BoundedAge",
		},
		"a late answer": {
			h: History{Gets: []Get{
				with(get("a", 1, 15, 0), func(g *Get) { g.Deadline = 10 }), with(get("a", 1, 16, 0), func(g *Get) { g.Deadline = 10 }), get("a", 1, 99, 0)}},
			rules: []Rule{BoundedWait(5)},
			want:  "BoundedWait",
		},
		"a regress": {
			h:     History{Loads: []Load{old, young}, Gets: []Get{get("a", 20, 21, 2), get("a", 22, 23, 1)}},
			rules: []Rule{NoRegress},
			want:  "NoRegress",
		},
		"a regress in a steady time, and across its end": {
			h:     History{Loads: []Load{old, young}, Gets: []Get{get("a", 20, 21, 2), get("a", 22, 23, 1), get("a", 42, 43, 1)}, Steady: []Interval{{15, 30}}},
			rules: []Rule{NoRegressWhenSteady},
			want:  "NoRegressWhenSteady",
		},
		"a regress where nothing is steady, and to a value of Set": {
			h: History{Loads: []Load{with(old, func(l *Load) { l.Set = true }), young}, Steady: []Interval{{15, 30}},
				Gets: []Get{get("a", 20, 21, 2), get("a", 22, 23, 1), get("a", 42, 43, 1)}},
			rules: []Rule{NoRegressWhenSteady},
		},
		"a regress between loads that overlap": {
			h: History{Loads: []Load{with(old, func(l *Load) { l.Ended = young.Began + 1 }), young}, Steady: []Interval{{15, 30}},
				Gets: []Get{get("a", 20, 21, 2), get("a", 22, 23, 1)}},
			rules: []Rule{NoRegressWhenSteady},
		},
		"older values elsewhere or at the same time": {
			h:     History{Loads: []Load{old, young}, Gets: []Get{get("a", 20, 22, 2), get("a", 22, 23, 1), get("b", 23, 24, 1)}},
			rules: []Rule{NoRegress},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := Check(test.h, test.rules...)
			var names []string
			for _, v := range got {
				names = append(names, v.Rule)
			}
			if s := strings.Join(names, " "); s != test.want {
				t.Errorf("broken: %q, want %q\n%v", s, test.want, got)
			}
		})
	}
}

func TestAViolationShowsTheLoadTheInvalidationAndTheGet(t *testing.T) {
	h := History{
		Loads:         []Load{load(1, "a", 1, 2), load(2, "b", 3, 4)},
		Invalidations: []Invalidation{inv("a", 5, 6, "b"), inv("a", 10, 20, "a", "b")},
		Gets:          []Get{get("b", 21, 22, 2), get("b", 7, 8, 0)},
	}
	got := Check(h, Invalidated)
	if len(got) != 1 {
		t.Fatalf("%d violations", len(got))
	}
	want := `Invalidated: the get started 1ns after the invalidation by a returned and read a load that began 7ns before it was called
	[3ns to 4ns] load 2 of "k" on b
	[10ns to 20ns] invalidation of ["k"] by a: ok (counted a, b)
	[21ns to 22ns] get of "k" on b read load 2`
	if got[0].String() != want {
		t.Errorf("got\n%v\nwant\n%v", got[0], want)
	}
}

// long is a history of n events in which a part of the reads is stale.
func long(n int, stale float64) History {
	const keys, members = 5000, 8
	var h History
	latest := map[string]uint64{}
	everyone := make([]string, members)
	for m := range everyone {
		everyone[m] = fmt.Sprint("m", m)
	}
	now := time.Duration(0)
	for range n {
		now += 10
		key, member := fmt.Sprint("k", rand.N(keys)), everyone[rand.N(members)]
		switch p := rand.Float64(); {
		case p < 0.05 || latest[key] == 0:
			h.Loads = append(h.Loads, Load{Number: uint64(len(h.Loads) + 1), Key: key, Member: member, Began: now, Ended: now + 5})
			latest[key] = uint64(len(h.Loads))
		case p < 0.1:
			h.Invalidations = append(h.Invalidations, Invalidation{Keys: []string{key}, Member: member, Start: now, End: now + 5, Counted: everyone})
			if rand.Float64() >= stale {
				delete(latest, key)
			}
		default:
			h.Gets = append(h.Gets, Get{Key: key, Member: member, Start: now, End: now + 3, Load: latest[key]})
		}
	}
	h.Steady = []Interval{{0, now}}
	return h
}

func TestALongHistoryIsJudgedInSecondsAndItsViolationsAreBounded(t *testing.T) {
	for _, stale := range []float64{0, 0.1} {
		h := long(100_000, stale)
		begin := time.Now()
		found := len(Check(h, append(Default(), NoRegress, NoRegressWhenSteady, BoundedWait(0), BoundedAge(time.Hour))...))
		if (found > 0) != (stale > 0) || found > 2*maxPerRule {
			t.Errorf("%d violations with %v stale", found, stale)
		}
		if d := time.Since(begin); d > 5*time.Second {
			t.Errorf("took %v", d)
		}
	}
}

func BenchmarkCheckOfAMillionEvents(b *testing.B) {
	h := long(1_000_000, 0)
	for b.Loop() {
		Check(h)
	}
}

func ExampleCheck() {
	h := History{
		Loads:         []Load{{Number: 1, Key: "user/1", Member: "a", Began: 1 * time.Second, Ended: 2 * time.Second}},
		Invalidations: []Invalidation{{Keys: []string{"user/1"}, Member: "a", Start: 5 * time.Second, End: 6 * time.Second, Counted: []string{"a", "b"}}},
		Gets:          []Get{{Key: "user/1", Member: "b", Start: 7 * time.Second, End: 8 * time.Second, Load: 1}},
	}
	for _, v := range Check(h) {
		fmt.Println(v)
	}
	// Output:
	// Invalidated: the get started 1s after the invalidation by a returned and read a load that began 4s before it was called
	// 	[1s to 2s] load 1 of "user/1" on a
	// 	[5s to 6s] invalidation of ["user/1"] by a: ok (counted a, b)
	// 	[7s to 8s] get of "user/1" on b read load 1
}
