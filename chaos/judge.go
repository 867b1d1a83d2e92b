package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/testenv/promise"
)

// row is what came of a scenario.
type row struct {
	Name, Fault   string
	Reads         int           // that ended after the fault began
	Failed        int           // of them
	Slowest       time.Duration // of them, those of a stopped process left out
	Rerouted      time.Duration // 99th percentile of the reads that the victim would have answered
	ReroutedReads int
	Extra         int  // loads of keys that were never invalidated, beyond one each
	ExtraMost     int  // of them, of one key
	NotCounted    bool // loads are due for other reasons: Extra says nothing
	Resident      int  // keys that were held before the fault
	Stale         int  // reads that broke the promise, as the checker found
	StaleAnywhere int  // reads after the repair that were stale on any member, bound by the promise or not
	Agree         time.Duration
	HasAgree      bool
	Other         []string // what else the checker found
	Checks        []check
	Notes         []string
	Skipped       string // why it did not run
	Err           string // why it did not come to its end

	reads []read // of the window, with those of the stopped left out
}

// check is one target and what became of it.
type check struct {
	Want, Got string
	OK        bool
}

func (r *row) check(ok bool, want, got string, args ...any) {
	r.Checks = append(r.Checks, check{want, fmt.Sprintf(got, args...), ok})
}

func (r *row) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// agree notes how long it took to agree, and checks it where limit is above 0.
func (r *row) agreed(took, limit time.Duration) {
	r.Agree, r.HasAgree = max(0, took), true
	if limit > 0 {
		r.check(r.Agree <= limit, fmt.Sprintf("agree within %v", limit), "%v", round(r.Agree))
	}
}

// judge fills in the row from what the members and the origin have seen.
func (t *trial) judge() {
	var all []told
	for _, m := range t.members {
		if !m.alive() {
			<-m.heard
		}
		all = append(all, m.told())
	}
	h := historyOf(all, t.origin.history())
	if t.calmFrom > 0 && t.fault > 0 {
		h.Steady = []promise.Interval{{From: t.calmFrom, To: t.fault}}
	}
	t.count(all)
	if t.quorum == 0 {
		t.extra(h.Loads)
	} else {
		t.row.NotCounted = true
		t.row.note("who hears no quorum loads for every read: loads are not counted")
	}
	t.check(h)
}

// standsStill tells whether a read belongs to a stopped process: its clock went on without it.
func (t *trial) standsStill(id string, r read) bool {
	return t.stopped != nil && id == t.stopped.id && r.Start <= t.still.To && r.End >= t.still.From
}

func (t *trial) count(all []told) {
	var rerouted []time.Duration
	var slowest read
	var where string
	for _, member := range all {
		for _, r := range member.reads {
			if r.End < t.fault || t.standsStill(member.id, r) {
				continue
			}
			t.row.reads = append(t.row.reads, r)
			t.row.Reads++
			if r.Err != "" {
				t.row.Failed++
				if t.row.Failed <= 3 {
					t.row.note("%s failed on %s after %v: %s", r.Key, member.id, round(r.End-r.Start), r.Err)
				}
			}
			if took := r.End - r.Start; took > t.row.Slowest {
				t.row.Slowest, slowest, where = took, r, member.id
			}
			atHome := r.Source == mesh.Local || r.Source == mesh.Replica
			if t.victim != nil && t.owned[r.Key] && member.id != t.victim.id && !atHome && r.Start <= t.agreed {
				rerouted = append(rerouted, r.End-r.Start)
			}
		}
	}
	if t.row.Slowest > 2*time.Second {
		t.row.note("the slowest read was of %s on %s, %v after the fault began: %v", slowest.Key, where, round(slowest.Start-t.fault), slowest.Source)
	}
	t.row.Rerouted, t.row.ReroutedReads = percentile(rerouted, 0.99), len(rerouted)
	t.row.check(t.row.Failed == 0, "0 failed reads", "%d", t.row.Failed)
}

// extra counts the loads of keys that are never invalidated, beyond the one that each needs.
func (t *trial) extra(loads []promise.Load) {
	n, before := map[string]int{}, map[string]bool{}
	for _, l := range loads {
		if !strings.HasPrefix(l.Key, "calm-") && !slices.Contains(t.cold, l.Key) {
			continue
		}
		n[l.Key]++
		if l.Began < t.fault {
			before[l.Key] = true
		}
	}
	worst := ""
	for key, k := range n {
		t.row.Extra += k - 1
		if k-1 > t.row.ExtraMost {
			t.row.ExtraMost, worst = k-1, key
		}
	}
	if t.row.ExtraMost > 1 {
		t.row.note("loads of %s: %s", worst, t.story(worst, loads))
	}
	t.row.Resident = len(before)
}

// story tells when a key was loaded, by whom, counted from the fault.
func (t *trial) story(key string, loads []promise.Load) string {
	var all []string
	for _, l := range loads {
		if l.Key == key && len(all) < 8 {
			all = append(all, fmt.Sprintf("%s at %v", l.Member, round(l.Began-t.fault)))
		}
	}
	s := strings.Join(all, ", ")
	if t.owned[key] {
		s += "; the victim owned it"
	}
	if left := t.living(); len(left) > 0 {
		if a, err := left[0].order(order{Do: doOwners, Keys: []string{key}}); err == nil {
			s += "; it is " + a.Owners[key] + "'s now"
		}
	}
	return s
}

// check lets the checker judge the history.
func (t *trial) check(h promise.History) {
	for i, g := range h.Gets {
		if t.standsStill(g.Member, read{Start: g.Start, End: g.End}) {
			h.Gets[i].Deadline = 0
		}
	}
	rules := append(promise.Default(), promise.NoRegress, promise.BoundedAge(t.ttl), promise.BoundedWait(50*time.Millisecond))
	found := promise.Check(h, rules...)
	count := map[string]int{}
	var text strings.Builder
	for _, v := range found {
		if v.Rule == promise.OneLoadPerMember.Name && (t.quorum > 0 || t.catchingUp(v)) {
			continue
		}
		if count[v.Rule]++; count[v.Rule] <= 5 {
			fmt.Fprintln(&text, v)
		}
	}
	for _, rule := range []string{promise.Invalidated.Name, promise.OwnInvalidation.Name} {
		t.row.Stale += count[rule]
		delete(count, rule)
	}
	if n := count[promise.NoRegress.Name]; n > 0 {
		t.row.note("on one member a key went back to an older load that was still valid: %d times (100 at most are counted)", n)
		delete(count, promise.NoRegress.Name)
	}
	for rule, n := range count {
		t.row.Other = append(t.row.Other, fmt.Sprintf("%s %d", rule, n))
	}
	slices.Sort(t.row.Other)
	t.row.check(t.row.Stale == 0, "0 stale reads (promise)", "%d", t.row.Stale)
	if t.repaired > 0 {
		t.row.StaleAnywhere = staleAnywhere(h, t.repaired)
	}
	if text.Len() > 0 {
		name := filepath.Join(t.dir, "violations.txt")
		if err := os.WriteFile(name, []byte(text.String()), 0o600); err == nil {
			fmt.Fprintf(os.Stderr, "%s: the checker found something: %s\n", t.row.Name, name)
		}
	}
}

// catchingUp tells whether loads overlap while members that were apart tell each other what they missed: an
// invalidation that came late may ask for the second.
func (t *trial) catchingUp(v promise.Violation) bool {
	if t.repaired == 0 {
		return false
	}
	for _, e := range v.Events {
		if l, ok := e.(promise.Load); !ok || l.Ended < t.apartUntil() || l.Began > t.repaired+t.row.Agree+t.lease {
			return false
		}
	}
	return true
}

// apartUntil is when the fault ended.
func (t *trial) apartUntil() time.Duration {
	if t.apartEnd > 0 {
		return t.apartEnd
	}
	return t.repaired
}

func percentile(d []time.Duration, p float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[min(int(float64(len(d))*p), len(d)-1)]
}

func round(d time.Duration) time.Duration {
	switch {
	case d > 10*time.Second:
		return d.Round(100 * time.Millisecond)
	case d > 10*time.Millisecond:
		return d.Round(time.Millisecond)
	}
	return d.Round(10 * time.Microsecond)
}
