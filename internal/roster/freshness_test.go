package roster

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// parted is two members that counted each other, cut off from each other long enough.
func parted(t *testing.T, change ...func(*Config)) (n *testNet, a, b *testHost, heal func()) {
	n = newNet(t)
	a, b = n.add("a", 1, change...), n.add("b", 2, change...)
	for _, h := range n.hosts {
		h.take(h.Open(n.now, "c", time.Minute))
	}
	n.until(testLease, "one mesh", func() bool { return a.counts("a", "b") && b.counts("a", "b") && a.owns("b") && b.owns("a") })
	n.cut = func(_, _ *testHost, _ any) bool { return true }
	n.until(2*testLease, "two meshes", func() bool { return a.counts("a") && b.counts("b") })
	return n, a, b, func() { n.cut = func(_, _ *testHost, _ any) bool { return false } }
}

func TestPartsThatMeetCompareBeforeTheyCount(t *testing.T) {
	n, a, b, heal := parted(t)
	if op := a.invalidate(key("k")); !a.isDone(op) {
		t.Fatal("alone, and not done")
	}
	heal()
	n.until(3*testLease, "one mesh", func() bool {
		if a.counts("a", "b") && !b.has(key("k")) {
			t.Fatal("a counts b before b has what a had applied")
		}
		return a.counts("a", "b") && b.counts("a", "b")
	})
	if m, _ := a.View().Member("b"); n.now-m.Since > int64(testLease) {
		t.Errorf("one that was apart passes for a member since %v", time.Duration(n.now-m.Since))
	}
}

func TestWhatTheLogHasLostIsDropped(t *testing.T) {
	n, a, b, heal := parted(t, func(c *Config) { c.LogSize = 10 })
	for _, k := range keys(30) {
		a.invalidate(k)
	}
	heal()
	n.until(3*testLease, "one mesh", func() bool { return a.counts("a", "b") && b.counts("a", "b") })
	if b.drops != 1 || a.drops != 0 {
		t.Errorf("b dropped %d times, a %d", b.drops, a.drops)
	}
}

func TestAQuestionCarriesWhatTheAskedHasNotShown(t *testing.T) {
	n, hosts := trio(t)
	a, b := hosts[0], hosts[1]
	n.cut = func(from, to *testHost, body any) bool { return to == b && tells(body) }
	tag, all := Target{"c", ByTag, "t"}, Target{"c", All, ""}
	a.invalidate(key("k"), key("other"), tag, all, Target{"d", ByTag, "t"})
	c := a.CarryTo(b.Self(), []Target{key("k"), key("k2")}, 1<<20)
	var got []Target
	for _, r := range c.Records {
		got = append(got, r.Target)
	}
	if !slices.Equal(got, []Target{key("k"), tag, all}) || len(c.Bases) != 0 || a.AllShown(b.Self()) {
		t.Errorf("carried %v, %v", got, c.Bases)
	}
	b.take(b.Take(n.now, c))
	if !slices.Equal(b.applied, got) {
		t.Errorf("applied %v", b.applied)
	}
	n.cut = func(_, _ *testHost, _ any) bool { return false }
	n.until(testLease, "all shown", func() bool { return a.AllShown(b.Self()) })
	if c := a.CarryTo(b.Self(), []Target{key("k")}, 1<<20); !c.Empty() {
		t.Errorf("carried %v", c)
	}
}

func TestAQuestionWithoutRoomCarriesNumbersAlone(t *testing.T) {
	n, hosts := trio(t)
	a, b := hosts[0], hosts[1]
	n.cut = func(from, to *testHost, body any) bool { return to == b && tells(body) }
	a.invalidate(keys(20)...)
	if c := a.CarryTo(b.Self(), keys(20), 20*100); len(c.Records) != 20 || len(c.Bases) != 0 {
		t.Errorf("with room for all it carries %d records and %v", len(c.Records), c.Bases)
	}
	c := a.CarryTo(b.Self(), keys(20), 10*100)
	if len(c.Records) != 0 || len(c.Bases) != 1 || c.Bases[0].Upto != 20 {
		t.Fatalf("carried %+v", c)
	}
	b.take(b.Take(n.now, c))
	if b.drops != 1 {
		t.Errorf("who has not applied them drops everything %d times", b.drops)
	}
	b.take(b.Take(n.now, c))
	if b.drops != 1 {
		t.Error("who has applied them drops everything")
	}
}

func TestAQuestionCarriesTheNumberThatTheLogHasLost(t *testing.T) {
	n, hosts := trio(t, func(c *Config) { c.LogSize = 2 })
	a, b := hosts[0], hosts[1]
	n.cut = func(from, to *testHost, body any) bool { return to == b && tells(body) }
	a.invalidate(keys(5)...)
	c := a.CarryTo(b.Self(), []Target{key("k")}, 1<<20)
	if len(c.Bases) != 1 || c.Bases[0].Upto != 3 {
		t.Fatalf("carried %+v", c)
	}
	b.take(b.Take(n.now, c))
	if b.drops != 1 {
		t.Errorf("%d drops", b.drops)
	}
	b.take(b.Take(n.now, c))
	if b.drops != 1 {
		t.Error("dropped again for what it has applied")
	}
}

func TestLostMessagesAreAskedFor(t *testing.T) {
	n, hosts := trio(t)
	a, b := hosts[0], hosts[1]
	n.cut = func(from, to *testHost, body any) bool { _, told := body.(*Told); return told && to == b }
	op := a.invalidate(keys(10)...)
	n.until(2*testHeartbeat, "b has them", func() bool { return len(b.applied) == 10 })
	n.until(2*testHeartbeat, "done", func() bool { return a.isDone(op) })
}

func TestResyncAsksTwoAtOnce(t *testing.T) {
	n, hosts := trio(t)
	b := hosts[1]
	e := b.Resync(n.now)
	var wants []string
	beats := 0
	for _, m := range e.Send {
		switch m.Body.(type) {
		case *Want:
			wants = append(wants, m.To)
		case *Beat:
			beats++
		}
	}
	if !slices.Equal(wants, []string{"a", "c"}) || beats != 1 {
		t.Errorf("wants of %v, %d heartbeats", wants, beats)
	}
}

func TestResyncAsksThoseWhoAreThoughtToLiveBeforeOthers(t *testing.T) {
	n := newNet(t)
	for i, id := range []string{"a", "b", "c", "d", "e"} {
		n.add(id, uint64(i+1))
	}
	n.run(2 * time.Second)
	a, b, d, e := n.hosts[0], n.hosts[1], n.hosts[3], n.hosts[4]
	asked := func() (ids []string) {
		for _, m := range e.Resync(n.now).Send {
			if _, ok := m.Body.(*Want); ok {
				ids = append(ids, m.To)
			}
		}
		return ids
	}
	a.dead, b.dead = true, true
	n.until(3*testLease, "two are evicted", func() bool { return e.counts("c", "d", "e") })
	if ids := asked(); !slices.Equal(ids, []string{"c", "d"}) {
		t.Errorf("with c and d alive it asks %v", ids)
	}
	d.dead = true
	n.until(3*testLease, "one more is evicted", func() bool { return e.counts("c", "e") })
	if ids := asked(); !slices.Equal(ids, []string{"c", "a"}) {
		t.Errorf("with c alive it asks %v", ids)
	}
}

func TestAGoneSourceIsRememberedForTheLongestLifeAndThenForgotten(t *testing.T) {
	n, hosts := trio(t)
	a, c := hosts[0], hosts[2]
	c.invalidate(key("k"))
	n.run(50 * time.Millisecond)
	source := c.Self()
	c.take(c.Gone(n.now))
	c.dead = true
	n.run(time.Minute)
	if a.sources[source] == nil {
		t.Fatal("forgotten while values that are older may live")
	}
	n.run(5 * testLease)
	if a.sources[source] != nil || a.Roster.log.len() != 1 || len(a.sourceOrder) != 0 {
		t.Error("remembered for ever")
	}
}

func TestWhoWasApartForLongerThanValuesForEverAreRememberedDropsEverything(t *testing.T) {
	for _, long := range []bool{false, true} {
		n, a, b, heal := parted(t)
		a.take(a.Open(n.now, "c", -1))
		b.take(b.Open(n.now, "c", -1))
		if long { // time alone, no events: only the clock matters here
			for range 3 {
				n.now += int64(40 * time.Minute)
				for _, h := range n.hosts {
					h.take(h.Tick(n.now))
				}
				n.run(2 * testLease)
			}
		}
		heal()
		n.until(4*testLease, "one mesh", func() bool { return a.counts("a", "b") && b.counts("a", "b") })
		want := 0
		if long {
			want = 1
		}
		if a.drops != want || b.drops != want {
			t.Errorf("apart for long: %v; drops %d and %d", long, a.drops, b.drops)
		}
	}
}

func TestAStoppedProcessHearsBeforeItJudges(t *testing.T) {
	n, hosts := trio(t)
	a, b := hosts[0], hosts[1]
	b.dead = true
	n.run(testLease / 2)
	op := a.invalidate(key("k"))
	n.run(2 * testLease)
	if !a.isDone(op) || !a.counts("a", "c") {
		t.Fatal("b was not evicted")
	}
	b.dead = false
	n.now += delay
	b.take(b.Tick(n.now))
	if !b.View().Waking || !b.counts("a", "b", "c") || b.awake != 0 {
		t.Fatalf("not waking: %+v", b.View())
	}
	n.until(testLease, "awake", func() bool {
		if b.awake == 1 && !b.has(key("k")) {
			t.Fatal("answers from memory without what it has missed")
		}
		return b.awake == 1
	})
	if b.View().Waking {
		t.Error("the view still says waking")
	}
}

func TestWakingIsBounded(t *testing.T) {
	n, hosts := trio(t)
	b := hosts[1]
	n.cut = func(_, _ *testHost, _ any) bool { return true }
	b.take(b.Wake(n.now))
	took := n.until(2*testLease, "awake", func() bool { return b.awake == 1 })
	if took < testLease-testHeartbeat {
		t.Errorf("awake after %v without having heard anybody", took)
	}
	n.until(testHeartbeat, "alone", func() bool { return b.counts("b") })
}

func TestSuspicionEndsWithTheNextHeartbeat(t *testing.T) {
	n, hosts := trio(t)
	a, b := hosts[0], hosts[1]
	if a.Suspects(n.now, "b") {
		t.Fatal("suspects a member in good health")
	}
	a.Suspect(n.now, "b")
	if !a.Suspects(n.now, "b") {
		t.Fatal("does not suspect")
	}
	n.until(2*testHeartbeat, "trusted again", func() bool { return !a.Suspects(n.now, "b") })
	b.dead = true
	n.until(3*testHeartbeat, "silent, so suspected", func() bool { return a.Suspects(n.now, "b") })
	if !a.counts("a", "b", "c") {
		t.Error("suspicion is not eviction")
	}
}

func TestTheViewEndsWithTheFirstLease(t *testing.T) {
	n, hosts := trio(t)
	a := hosts[0]
	n.cut = func(_, _ *testHost, _ any) bool { return true }
	n.run(time.Duration(a.View().Until-n.now) - 10*time.Millisecond)
	until := a.View().Until
	if !a.counts("a", "b", "c") || until <= n.now {
		t.Fatalf("ended before its time: now %d, until %d", n.now, until)
	}
	n.now = until
	a.take(a.Tick(n.now))
	if a.counts("a", "b", "c") {
		t.Error("a view outlived its end")
	}
}

func TestAnEarlyTickIsHarmless(t *testing.T) {
	n, hosts := trio(t)
	for range 100 {
		if e := hosts[0].Tick(n.now); len(e.Send) > 0 || e.Drop || len(e.Apply) > 0 {
			t.Fatalf("%+v", e)
		}
	}
}

func TestEachMemberIsJudgedByItsOwnLease(t *testing.T) {
	n := newNet(t)
	a := n.add("a", 1)
	slow := n.add("b", 2, func(c *Config) { c.Heartbeat, c.Lease = 5*time.Second, 25*time.Second })
	n.until(12*time.Second, "one mesh", func() bool { return a.counts("a", "b") && slow.counts("a", "b") })
	for range 40 {
		n.run(250 * time.Millisecond)
		if !a.counts("a", "b") || !slow.counts("a", "b") {
			t.Fatal("a slow heartbeat costs membership")
		}
	}
	slow.dead = true
	if took := n.until(30*time.Second, "evicted", func() bool { return a.counts("a") }); took < 20*time.Second {
		t.Errorf("evicted after %v with a lease of 25s", took)
	}
}

func TestALeaseCountsFromTheSendingNotFromTheEcho(t *testing.T) {
	n, hosts := trio(t)
	a := hosts[0]
	sent := n.now
	n.cut = func(_, _ *testHost, _ any) bool { return true }
	a.take(a.Resync(n.now)) // the last heartbeat that b will have heard
	echo := *hosts[1].beat("")
	echo.Seq += 10
	echo.Peers = []PeerState{{Instance: a.Self(), Seen: a.seq, Waits: true, Counts: true}}
	n.run(testLease - 100*time.Millisecond)
	a.take(a.Receive(n.now, "b", &echo)) // comes late
	if !a.Counts(n.now, hosts[1].Self()) {
		t.Fatal("evicted before its lease has ended")
	}
	n.until(testLease, "evicted", func() bool { _, waits := a.Known("b"); return !waits })
	if d := time.Duration(n.now - sent); d > testLease+10*time.Millisecond {
		t.Errorf("evicted %v after the heartbeat that it echoed", d)
	}
}

func TestMembersDoNotTeachEachOtherAGoneSourceForEver(t *testing.T) {
	n, hosts := trio(t)
	a, b, c := hosts[0], hosts[1], hosts[2]
	n.cut = func(from, to *testHost, _ any) bool { return from == b || to == b }
	source := c.Self()
	c.invalidate(key("k"))
	n.run(50 * time.Millisecond)
	c.take(c.Gone(n.now))
	c.dead = true
	n.run(50 * time.Second) // values live for a minute
	n.cut = func(_, _ *testHost, _ any) bool { return false }
	n.until(3*testLease, "b has it", func() bool { return b.has(key("k")) && b.counts("a", "b") })
	n.run(time.Minute - 50*time.Second + 5*testLease)
	if a.sources[source] != nil || b.sources[source] != nil {
		t.Errorf("a remembers it: %v, b: %v", a.sources[source] != nil, b.sources[source] != nil)
	}
}

func TestNobodyKnowsMoreOfAMembersInvalidationsThanItself(t *testing.T) {
	const ahead = 1 << 40
	for name, poison := range map[string]func(n *testNet, b, c *testHost){
		"a question's bases": func(n *testNet, b, c *testHost) {
			b.take(b.Take(n.now, Carry{Bases: []Applied{{Source: b.Self(), Upto: ahead}}}))
		},
		"a question's records": func(n *testNet, b, c *testHost) {
			b.take(b.Take(n.now, Carry{Records: []Invalidation{{Source: b.Self(), N: 1, Target: key("x")}, {Source: b.Self(), N: 2, Target: key("x")}}}))
		},
		"a heartbeat": func(n *testNet, b, c *testHost) {
			beat := *c.beat("")
			beat.Seq += 100
			beat.Applied = []Applied{{Source: b.Self(), Upto: ahead, Age: time.Hour}}
			b.take(b.Receive(n.now, "c", &beat))
		},
	} {
		t.Run(name, func(t *testing.T) {
			n, hosts := trio(t)
			a, b, c := hosts[0], hosts[1], hosts[2]
			poison(n, b, c)
			for _, k := range []string{"k", "k2"} {
				op := b.invalidate(key(k))
				n.run(time.Second)
				if !b.isDone(op) || !b.has(key(k)) || !a.has(key(k)) {
					t.Errorf("%s: done %v, applied at home %v, elsewhere %v", k, b.isDone(op), b.has(key(k)), a.has(key(k)))
				}
			}
		})
	}
}

func TestTheLastOfALargeMeshAsksNobody(t *testing.T) {
	n := newNet(t)
	for i := range 6 {
		h := n.add(fmt.Sprint("m", i), uint64(i+1), func(c *Config) { c.Large.From = 3 })
		h.take(h.Open(n.now, "c", time.Minute))
	}
	n.run(3 * time.Second)
	a := n.hosts[0]
	if len(a.View().Members) != 6 {
		t.Fatalf("%d members", len(a.View().Members))
	}
	for _, h := range n.hosts[1:] {
		a.take(a.Receive(n.now, h.Self().ID, &Gone{From: h.Self()}))
		h.dead = true
	}
	a.take(a.Resync(n.now)) // with everybody gone since the last heartbeat
	if len(a.View().Members) != 1 {
		t.Errorf("%d members", len(a.View().Members))
	}
}
