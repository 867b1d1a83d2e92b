package roster

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAloneAnInvalidationIsDoneAtOnce(t *testing.T) {
	n := newNet(t)
	h := n.add("a", 1)
	if op := h.invalidate(key("k")); !h.isDone(op) || !h.has(key("k")) || h.Missing(n.now, op) != nil {
		t.Errorf("done %v, applied %v", h.done, h.applied)
	}
}

func TestAnInvalidationIsDoneInARoundTrip(t *testing.T) {
	n, hosts := trio(t)
	a := hosts[0]
	op := a.invalidate(key("k"), Target{"c", ByTag, "t"}, Target{"c", All, ""})
	if !slices.Equal(a.Missing(n.now, op), []string{"b", "c"}) {
		t.Errorf("missing %v", a.Missing(n.now, op))
	}
	if took := n.until(testHeartbeat, "done", func() bool { return a.isDone(op) }); took > 5*time.Millisecond {
		t.Errorf("took %v", took)
	}
	for _, h := range hosts {
		if len(h.applied) != 3 {
			t.Errorf("%v applied %v", h.Self(), h.applied)
		}
	}
}

func TestOnlyWhoHasNotConfirmedIsToldAgain(t *testing.T) {
	n, hosts := trio(t)
	a, b, c := hosts[0], hosts[1], hosts[2]
	var again []string
	lost := true
	n.cut = func(from, to *testHost, body any) bool {
		if tells(body) && to == b && lost {
			lost = false
			return true
		}
		if tells(body) && !lost {
			again = append(again, to.Self().ID)
		}
		return false
	}
	op := a.invalidate(key("k"))
	again = nil
	took := n.until(testLease, "done", func() bool { return a.isDone(op) })
	if !slices.Equal(again, []string{"b"}) || took > 200*time.Millisecond || len(c.applied) != 1 || len(b.applied) != 1 {
		t.Errorf("told again %v, took %v", again, took)
	}
}

func TestAMemberThatIsEvictedEndsTheWaitAndIsNamed(t *testing.T) {
	n, hosts := trio(t)
	a, b, c := hosts[0], hosts[1], hosts[2]
	c.dead = true
	n.cut = func(from, to *testHost, body any) bool { return to == b && tells(body) }
	op := a.invalidate(key("k"))
	n.until(2*testLease, "c evicted", func() bool { return a.counts("a", "b") })
	if a.isDone(op) || !slices.Equal(a.Missing(n.now, op), []string{"b", "c"}) {
		t.Errorf("done %v, missing %v", a.isDone(op), a.Missing(n.now, op))
	}
	n.cut = func(_, _ *testHost, _ any) bool { return false }
	n.until(testLease, "done", func() bool { return a.isDone(op) })
}

func TestAnInvalidationGoesOnUntilTheMemberHasIt(t *testing.T) {
	n, hosts := trio(t)
	a, b := hosts[0], hosts[1]
	n.cut = func(from, to *testHost, body any) bool { return to == b && tells(body) }
	op := a.invalidate(keys(3)...)
	n.run(5 * testLease)
	if a.isDone(op) || !a.counts("a", "b", "c") {
		t.Fatal("done, or evicted one who lives")
	}
	n.cut = func(_, _ *testHost, _ any) bool { return false }
	n.until(testHeartbeat, "done", func() bool { return a.isDone(op) })
	if len(b.applied) != 3 {
		t.Errorf("applied %v", b.applied)
	}
}

func TestADuplicateIsConfirmedAgainAndAppliedOnce(t *testing.T) {
	n, hosts := trio(t)
	a := hosts[0]
	stranger := Instance{ID: "z", Inc: 9}
	told := &Told{From: stranger, Records: []Invalidation{{stranger, 1, key("k")}, {stranger, 3, key("l")}}}
	for range 2 {
		e := a.Receive(n.now, "z", told)
		a.take(e)
		if len(e.Send) != 1 {
			t.Fatalf("sent %v", e.Send)
		}
		c, ok := e.Send[0].Body.(*Confirm)
		if !ok || e.Send[0].To != "z" || c.To != stranger || c.Upto != 1 || !slices.Equal(c.Also, []uint64{3}) {
			t.Errorf("confirmed %+v", e.Send[0])
		}
	}
	if len(a.applied) != 2 {
		t.Errorf("applied %v", a.applied)
	}
}

func TestALargeSetIsSplitAndDoneAsAWhole(t *testing.T) {
	n, hosts := trio(t, func(c *Config) { c.MaxBytes = 1000 })
	a := hosts[0]
	messages := 0
	n.cut = func(from, to *testHost, body any) bool {
		if told, ok := body.(*Told); ok {
			messages++
			if len(told.Records) > 14 {
				t.Errorf("%d records in a message", len(told.Records))
			}
			return messages == 7 // one of them is lost
		}
		return false
	}
	op := a.invalidate(keys(200)...)
	n.run(10 * time.Millisecond)
	if messages < 20 || a.isDone(op) {
		t.Fatalf("%d messages, done %v", messages, a.isDone(op))
	}
	n.until(testLease, "done", func() bool { return a.isDone(op) })
	for _, h := range hosts {
		if len(h.applied) != 200 {
			t.Errorf("%v applied %d", h.Self(), len(h.applied))
		}
	}
}

// What was issued when messages were larger is told as all of its cache: to those who owe it, and to who asks.
func TestWhatNoMessageHoldsAnyMoreIsToldAsAllOfItsCache(t *testing.T) {
	n, hosts := trio(t)
	a, b, c := hosts[0], hosts[1], hosts[2]
	long, all := key(strings.Repeat("k", 3000)), Target{Cache: "c", Kind: All}
	n.cut = func(_, to *testHost, body any) bool { return to != a && tells(body) }
	op := a.invalidate(long)
	n.run(5 * time.Millisecond)
	for _, h := range hosts {
		h.Limit(1000)
	}
	n.cut = func(_, to *testHost, body any) bool {
		_, told := body.(*Told)
		return to == c && told
	}
	n.until(testLease, "done", func() bool { return a.isDone(op) })
	for _, h := range []*testHost{b, c} {
		if !h.has(all) || h.has(long) || h.drops > 0 {
			t.Errorf("%v applied %v and dropped everything %d times", h.Self(), h.applied, h.drops)
		}
	}
	d := n.add("d", 4)
	n.until(testHeartbeat, "d joined", func() bool { return d.joined > 0 })
}

// What a heartbeat shows has been handed to the host before, or in the same step.
func TestAHeartbeatShowsNothingThatTheHostHasNotBeenHanded(t *testing.T) {
	n, hosts := trio(t)
	b := hosts[1]
	src := hosts[0].Self()
	handed := 0
	for i := range uint64(50) {
		e := b.Receive(n.now, "a", &Told{From: src, Records: []Invalidation{{src, i + 1, key("k")}}})
		handed += len(e.Apply)
		e2 := b.Resync(n.now)
		for _, m := range append(e.Send, e2.Send...) {
			if beat, ok := m.Body.(*Beat); ok {
				for _, v := range beat.Applied {
					if v.Source == src && v.Upto > uint64(handed) {
						t.Fatalf("shows %d, handed %d", v.Upto, handed)
					}
				}
			}
		}
	}
	if handed != 50 {
		t.Errorf("handed %d", handed)
	}
}
