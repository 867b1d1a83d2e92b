package roster

import (
	"testing"
	"time"
)

func TestAloneJoinReturnsAfterAHeartbeat(t *testing.T) {
	n := newNet(t)
	h := n.add("a", 1)
	start := n.now
	n.until(2*testHeartbeat, "joined", func() bool { return h.joined > 0 })
	if d := time.Duration(h.joined - start); d < testHeartbeat || d > testHeartbeat+10*time.Millisecond {
		t.Errorf("joined after %v", d)
	}
}

func TestJoinAmongMembersTakesRoundTripsNotHeartbeats(t *testing.T) {
	n, hosts := trio(t)
	for i := range 20 {
		hosts[0].invalidate(keys(i + 1)...)
	}
	n.run(time.Second)
	d := n.add("d", 4)
	if took := n.until(testHeartbeat, "d joined", func() bool { return d.joined > 0 }); took > 100*time.Millisecond {
		t.Errorf("took %v", took)
	}
	for _, h := range hosts {
		if !h.Counts(n.now, d.Self()) {
			t.Errorf("Join of d returned before %v counted it", h.Self())
		}
	}
}

func TestJoinWaitsForMembersThatOthersKnow(t *testing.T) {
	n, hosts := trio(t)
	c := hosts[2]
	n.cut = func(from, to *testHost, _ any) bool { // c and d do not hear each other
		return from == c && to.Self().ID == "d" || from.Self().ID == "d" && to == c
	}
	d := n.add("d", 4)
	n.run(3 * testLease)
	if d.joined > 0 {
		t.Fatal("Join returned although c, which a and b know, does not count d")
	}
	if left := d.Uncounting(); len(left) != 1 || left[0] != c.Self() {
		t.Errorf("Join is said to wait for %v", left)
	}
	n.cut = func(_, _ *testHost, _ any) bool { return false }
	n.until(testLease, "d joined", func() bool { return d.joined > 0 && c.Counts(n.now, d.Self()) })
}

func TestOneWhoHearsNobodyHoldsUpAJoinForLittleMoreThanALease(t *testing.T) {
	n, hosts := trio(t)
	c := hosts[2]
	n.cut = func(_, to *testHost, _ any) bool { return to == c }
	n.run(2 * testLease)
	if !hosts[0].counts("a", "b") || !hosts[1].counts("a", "b") || !c.counts("c") {
		t.Fatal("the deaf one is counted")
	}
	heard := false
	n.cut = func(from, to *testHost, _ any) bool { // the deaf one is heard before the others are
		heard = heard || from == c && to != c
		return to == c || !heard
	}
	d := n.add("d", 4)
	took := n.until(testLease+3*testHeartbeat, "d joined", func() bool { return d.joined > 0 })
	if took < testLease {
		t.Errorf("Join returned after %v: it had no reason to give up so soon", took)
	}
	if !hosts[0].counts("a", "b", "d") || !hosts[1].counts("a", "b", "d") {
		t.Error("and the others do not count it")
	}
	n.cut = func(_, _ *testHost, _ any) bool { return false }
	n.until(testLease, "all count all", func() bool { return c.counts("a", "b", "c", "d") && d.counts("a", "b", "c", "d") })
}

func TestOneWhoIsAloneButForADeafOneJoins(t *testing.T) {
	n := newNet(t)
	a := n.add("a", 1)
	n.run(time.Second)
	n.cut = func(_, to *testHost, _ any) bool { return to == a }
	d := n.add("d", 2)
	n.until(testLease+3*testHeartbeat, "d joined", func() bool { return d.joined > 0 })
}

// Of two members one dies, and is started again at once: for a lease the other takes it for an impostor.
func TestOneThatIsRestartedAtOnceDoesNotTakeItselfForTheOnlyOne(t *testing.T) {
	for name, c := range map[string]struct {
		way    time.Duration
		change func(*Config)
	}{
		"near":                   {time.Millisecond, func(*Config) {}},
		"far":                    {20 * time.Millisecond, func(*Config) {}},
		"further":                {60 * time.Millisecond, func(*Config) {}},
		"a lease of more":        {20 * time.Millisecond, func(c *Config) { c.Lease += testHeartbeat / 2 }},
		"it beats more seldom":   {time.Millisecond, func(c *Config) { c.Heartbeat, c.Lease = time.Second, 5500*time.Millisecond }},
		"in fence mode":          {time.Millisecond, func(c *Config) { c.Quorum = 2 }},
		"in fence mode, further": {60 * time.Millisecond, func(c *Config) { c.Quorum = 2 }},
	} {
		t.Run(name, func(t *testing.T) {
			for phase := time.Duration(0); phase < testHeartbeat; phase += 23 * time.Millisecond {
				for after := time.Duration(0); after < testHeartbeat; after += 7 * time.Millisecond {
					n := newNet(t)
					n.slow = func(*testHost, any) time.Duration { return c.way }
					a := n.add("a", 1, func(to *Config) {
						var of Config
						c.change(&of)
						to.Quorum = of.Quorum
					})
					n.run(phase)
					x := n.add("x", 2, c.change)
					n.until(20*time.Second, "a mesh", func() bool { return a.counts("a", "x") && x.counts("a", "x") })
					n.run(3*time.Second + after)
					x.dead = true
					n.run(3 * time.Millisecond)
					y := n.add("x", 3, c.change)
					n.until(20*time.Second, "joined", func() bool { return y.joined > 0 })
					if !a.Counts(n.now, y.Self()) || !y.counts("a", "x") {
						t.Fatalf("phase %v, after %v: it has joined alone", phase, after)
					}
				}
			}
		})
	}
}

func TestThereIsNoStormOfHeartbeats(t *testing.T) {
	n := newNet(t)
	for i := range 20 {
		h := n.add(string(rune('a'+i)), uint64(i+1))
		h.take(h.Open(n.now, "c", time.Minute))
	}
	n.run(2 * time.Second)
	for _, h := range n.hosts {
		if h.seq > 60 {
			t.Errorf("%v sent %d heartbeats in two seconds", h.Self(), h.seq)
		}
		if h.joined == 0 || len(h.View().Members) != 20 {
			t.Errorf("%v joined at %d and counts %d", h.Self(), h.joined, len(h.View().Members))
		}
	}
}

func TestALeaverOwnsNothingAndIsWaitedForUntilItIsGone(t *testing.T) {
	n, hosts := trio(t)
	a, c := hosts[0], hosts[2]
	c.take(c.Leave(n.now))
	if c.owns("c") || c.View().Joined {
		t.Error("the leaver still owns")
	}
	n.run(20 * time.Millisecond)
	if a.owns("c") {
		t.Error("the others still take the leaver for an owner")
	}
	n.cut = func(from, to *testHost, body any) bool { return to == c && tells(body) }
	op := a.invalidate(key("x"))
	n.run(200 * time.Millisecond)
	if a.isDone(op) {
		t.Fatal("done without the leaver")
	}
	c.take(c.Gone(n.now))
	c.dead = true
	n.run(10 * time.Millisecond)
	if !a.isDone(op) || !a.counts("a", "b") {
		t.Errorf("after the last word: done %v, %+v", a.isDone(op), a.View().Members)
	}
}

func TestLateMessagesOfOneWhoIsGoneAreVoid(t *testing.T) {
	n, hosts := trio(t)
	a, c := hosts[0], hosts[2]
	late := c.beat("")
	c.take(c.Gone(n.now))
	c.dead = true
	n.run(10 * time.Millisecond)
	a.take(a.Receive(n.now, "c", late))
	if inst, _ := a.Known("c"); inst.Inc != 0 {
		t.Errorf("%v came back", inst)
	}
}

func TestHeartbeatsNameWhoIsWaitedForThoughNotCounted(t *testing.T) {
	n, hosts := trio(t)
	a := hosts[0]
	a.invalidate(key("k"))
	n.run(testHeartbeat)
	var said PeerState
	n.cut = func(from, _ *testHost, body any) bool {
		if b, is := body.(*Beat); is && from == a {
			for _, p := range b.Peers {
				if p.ID == "d" {
					said = p
				}
			}
		}
		_, tail := body.(*Tail) // d never learns what it lacks, and is not counted
		return tail
	}
	n.add("d", 4)
	n.run(time.Second)
	if !said.Waits || said.Counts {
		t.Errorf("a says of d: %+v", said)
	}
}
