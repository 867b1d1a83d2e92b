package roster

import (
	"strings"
	"testing"
	"time"
)

func TestASuccessorOfAKilledMemberJoinsAfterAtMostALease(t *testing.T) {
	for _, nonce := range []uint64{1, 1 << 20} { // a lower and a higher incarnation than before
		n, hosts := trio(t)
		a, c := hosts[0], hosts[2]
		c.dead = true
		d := n.add("c", nonce)
		d.take(d.Open(n.now, "c", time.Minute))
		took := n.until(testLease+testHeartbeat, "the successor joined", func() bool { return d.joined > 0 })
		if took < testLease/2 {
			t.Errorf("it took the place of one who might live after %v", took)
		}
		if d.Self().Inc <= c.Self().Inc || !a.Counts(n.now, d.Self()) {
			t.Errorf("%v after %v", d.Self(), c.Self())
		}
	}
}

func TestASuccessorOfOneWhoHasLeftJoinsAtOnce(t *testing.T) {
	n, hosts := trio(t)
	c := hosts[2]
	c.take(c.Leave(n.now))
	n.run(50 * time.Millisecond)
	c.take(c.Gone(n.now))
	c.dead = true
	n.run(5 * time.Millisecond)
	d := n.add("c", 1)
	n.until(testHeartbeat, "joined", func() bool { return d.joined > 0 })
	if d.Self().Inc <= c.Self().Inc {
		t.Errorf("%v after %v", d.Self(), c.Self())
	}
}

func TestASecondProcessWithALiveMembersIDIsRefused(t *testing.T) {
	for _, nonce := range []uint64{1, 1 << 20} {
		n, hosts := trio(t)
		c := hosts[2]
		before := c.Self()
		d := n.add("c", nonce)
		n.until(testHeartbeat, "refused", func() bool { return d.refused != "" })
		if d.joined > 0 || !strings.Contains(d.refused, "ID c") || d.Next() != never {
			t.Errorf("refused with %q, joined %d", d.refused, d.joined)
		}
		n.run(2 * testLease)
		for _, h := range hosts {
			if !h.counts("a", "b", "c") {
				t.Errorf("%v counts %v", h.Self(), h.View().Members)
			}
		}
		if c.Self() != before || c.drops > 0 || c.refused != "" {
			t.Errorf("the live member was disturbed: %v, %d drops", c.Self(), c.drops)
		}
	}
}

func TestOfTwoJoinersTheYoungerIsRefused(t *testing.T) {
	n := newNet(t)
	first := n.add("x", 5)
	n.run(20 * time.Millisecond)
	second := n.add("x", 9)
	n.run(testLease)
	if first.refused != "" || first.joined == 0 || second.refused == "" || second.joined > 0 {
		t.Errorf("first %q, second %q", first.refused, second.refused)
	}
}

func TestWhenPartsMeetTheYoungerNamesakeGoesOnAlone(t *testing.T) {
	n := newNet(t)
	parted := true
	right := func(h *testHost) bool { return h.cfg.Nonce > 2 }
	n.cut = func(from, to *testHost, _ any) bool { return parted && right(from) != right(to) }
	a, x := n.add("a", 1), n.add("x", 2)
	n.run(time.Second)
	b, y := n.add("b", 3), n.add("x", 4)
	y.take(y.Open(n.now, "c", time.Minute))
	n.run(3 * time.Second)
	if !a.counts("a", "x") || !b.counts("b", "x") {
		t.Fatal("no two meshes")
	}
	parted = false
	n.until(3*testLease, "one mesh", func() bool { return a.counts("a", "b", "x") && b.counts("a", "b", "x") })
	n.run(testLease)
	if x.refused != "" || !x.counts("a", "b", "x") || !x.View().Joined {
		t.Errorf("the elder: refused %q, %+v", x.refused, x.View())
	}
	if y.refused == "" || !y.counts("x") || !y.View().Alone || !y.owns("x") {
		t.Errorf("the younger: refused %q, %+v", y.refused, y.View())
	}
	if op := y.invalidate(key("k")); !y.isDone(op) {
		t.Error("the younger cannot invalidate at home")
	}
	if !a.Counts(n.now, x.Self()) || !b.Counts(n.now, x.Self()) {
		t.Error("the elder is not counted")
	}
}

func TestAnElderOfTheSameIDDoesNotEndTheWaitForALiveMember(t *testing.T) {
	n, hosts := trio(t)
	a, c := hosts[0], hosts[2]
	n.cut = func(from, to *testHost, _ any) bool { return from == c || to == c } // it may still answer from memory
	op := a.invalidate(key("k"))
	elder := &Beat{From: Instance{ID: "c", Inc: 9 << 32}, Nonce: 77, Seq: 1, Heartbeat: testHeartbeat, Lease: testLease,
		Joined: true, For: time.Hour, Tenure: time.Hour}
	a.take(a.Receive(n.now, "c", elder))
	n.run(testLease / 2)
	if inst, waits := a.Known("c"); inst != c.Self() || !waits || a.isDone(op) {
		t.Errorf("known is %v, waited for %v; the invalidation is done: %v", inst, waits, a.isDone(op))
	}
	n.until(2*testLease, "the lease has ended, and the invalidation is done", func() bool { return a.isDone(op) })
}

func TestALateHeartbeatOfADeadPredecessorDisplacesNobody(t *testing.T) {
	n, hosts := trio(t)
	c := hosts[2]
	late := c.beat("")
	c.dead = true
	d := n.add("c", 4)
	n.until(3*testLease, "joined", func() bool { return d.joined > 0 })
	late.Tenure = time.Hour
	d.take(d.Receive(n.now, "c", late))
	n.run(testLease)
	if d.refused != "" || !d.View().Joined {
		t.Errorf("displaced: %q", d.refused)
	}
}

func TestAMemberThatHearsOfANewerInstanceOfItselfStartsAnew(t *testing.T) {
	n, hosts := trio(t)
	a, c := hosts[0], hosts[2]
	n.cut = func(from, to *testHost, body any) bool { return to == hosts[1] && tells(body) }
	op := c.invalidate(key("k"))
	n.run(5 * time.Millisecond)
	b := a.beat("b")
	news := *b
	news.Seq++
	news.Peers = append([]PeerState{{Instance: Instance{ID: "c", Inc: 7<<32 | 1}}}, b.Peers...)
	c.take(c.Receive(n.now, "a", &news))
	if c.Self().Inc>>32 != 8 || c.drops != 1 || c.View().Joined || c.owns("c") {
		t.Fatalf("%v, %d drops, %+v", c.Self(), c.drops, c.View())
	}
	n.cut = func(_, _ *testHost, _ any) bool { return false }
	n.until(testLease, "joined again", func() bool { return c.View().Joined && a.Counts(n.now, c.Self()) })
	n.run(100 * time.Millisecond)
	if !c.isDone(op) || !hosts[1].has(key("k")) {
		t.Error("what it had to tell was lost")
	}
}

// While they were parted each has heard of a newer instance of the other's ID, which is no more:
// each is an older incarnation to the other, and must still learn of that from the other.
func TestTwoThatAreOlderToEachOtherBothStartAnew(t *testing.T) {
	n, hosts := trio(t)
	a, b, c := hosts[0], hosts[1], hosts[2]
	n.cut = func(from, to *testHost, _ any) bool { return from != c && to != c }
	n.run(2 * testLease)
	newer := func(id string) *Beat {
		return &Beat{From: Instance{ID: id, Inc: 4<<32 | 77}, Nonce: 77, Seq: 1, Heartbeat: testHeartbeat, Lease: testLease}
	}
	a.take(a.Receive(n.now, "b", newer("b")))
	b.take(b.Receive(n.now, "a", newer("a")))
	n.run(testLease)
	if a.counts("a", "b", "c") || b.counts("a", "b", "c") {
		t.Fatal("not parted")
	}
	n.cut = func(_, _ *testHost, _ any) bool { return false }
	n.until(testLease+2*testHeartbeat, "all count all", func() bool {
		return a.counts("a", "b", "c") && b.counts("a", "b", "c") && c.counts("a", "b", "c")
	})
}

func TestMembersOfAnotherHashAreIgnoredWithOneLine(t *testing.T) {
	n, hosts := trio(t)
	n.add("d", 4, func(c *Config) { c.Hash = 9 })
	n.run(2 * time.Second)
	lines := 0
	for _, l := range hosts[0].log {
		if strings.Contains(l, "hash version 9") {
			lines++
		}
	}
	if lines != 1 || !hosts[0].counts("a", "b", "c") {
		t.Errorf("%d lines, %+v", lines, hosts[0].View().Members)
	}
}

func TestAMessageInAnothersNameIsDroppedWithOneLine(t *testing.T) {
	n, hosts := trio(t)
	a := hosts[0]
	told := &Told{From: hosts[1].Self(), Records: []Invalidation{{Source: hosts[1].Self(), N: 1, Target: key("k")}}}
	for range 3 {
		a.take(a.Receive(n.now, "mallory", told))
	}
	lines := 0
	for _, l := range a.log {
		if strings.Contains(l, "claims to be") {
			lines++
		}
	}
	if a.has(key("k")) || lines != 1 {
		t.Errorf("applied %v, %d lines", a.applied, lines)
	}
}
