package roster

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// twoOfThree is a trio in fence mode that has run for a lease and more.
func twoOfThree(t testing.TB) (*testNet, []*testHost) {
	n, hosts := trio(t, func(c *Config) { c.Quorum = 2 })
	n.until(2*testLease, "all serve", func() bool { return !hosts[0].isFenced() && !hosts[1].isFenced() && !hosts[2].isFenced() })
	n.run(testHeartbeat)
	return n, hosts
}

func (h *testHost) isFenced() bool { return h.View().Fenced(h.net.now) }

// isolate cuts all links between some and the others.
func (n *testNet) isolate(some ...*testHost) {
	n.cut = func(from, to *testHost, _ any) bool { return slices.Contains(some, from) != slices.Contains(some, to) }
}

func (n *testNet) heal() { n.cut = func(_, _ *testHost, _ any) bool { return false } }

func TestNobodyServesBeforeAQuorumHasRunForALease(t *testing.T) {
	n, hosts := trio(t, func(c *Config) { c.Quorum = 2 })
	a := hosts[0]
	started := n.now - int64(time.Second)
	for a.isFenced() {
		if a.owns("a") || a.owns("b") {
			t.Fatal("a member that is fenced owns its caches")
		}
		n.run(time.Duration(delay))
		if n.now-started > int64(2*testLease) {
			t.Fatal("nobody serves after two leases")
		}
	}
	if ran := time.Duration(n.now - started); ran < testLease {
		t.Errorf("a serves after %v", ran)
	}
	n.until(testHeartbeat, "all own the cache", func() bool { return a.owns("a") && a.owns("b") && a.owns("c") })
}

func TestInAWholeMeshAnInvalidationIsDoneInARoundTrip(t *testing.T) {
	n, hosts := twoOfThree(t)
	op := hosts[0].invalidate(key("k"))
	if took := n.until(testLease, "done", func() bool { return hosts[0].isDone(op) }); took > 5*time.Duration(delay) {
		t.Errorf("it took %v", took)
	}
}

func TestACutOffMemberIsFencedBeforeAnInvalidationWithoutItIsDone(t *testing.T) {
	n, hosts := twoOfThree(t)
	a, c := hosts[0], hosts[2]
	n.isolate(c)
	cut := n.now
	op := a.invalidate(key("k"))
	for !a.isDone(op) {
		n.run(time.Duration(delay))
		if time.Duration(n.now-cut) > 2*testLease {
			t.Fatal("not done within two leases")
		}
	}
	if !c.isFenced() || c.has(key("k")) {
		t.Fatalf("done after %v while the member cut off serves", time.Duration(n.now-cut))
	}
	if c.View().ServesUntil > cut+int64(testLease) {
		t.Errorf("it served for %v", time.Duration(c.View().ServesUntil-cut))
	}
	if a.isFenced() || hosts[1].isFenced() {
		t.Error("the majority is fenced")
	}
	if next := a.invalidate(key("l")); n.until(testLease/2, "done without waiting", func() bool { return a.isDone(next) }) > 5*time.Duration(delay) {
		t.Error("a later invalidation waits, too")
	}
}

func TestAHealedMemberAppliesWhatItMissedBeforeItServes(t *testing.T) {
	n, hosts := twoOfThree(t)
	a, c := hosts[0], hosts[2]
	n.isolate(c)
	op := a.invalidate(key("k"))
	n.until(2*testLease, "done", func() bool { return a.isDone(op) })
	drops := c.drops
	n.heal()
	for c.isFenced() {
		n.run(time.Duration(delay))
	}
	if !c.has(key("k")) {
		t.Error("it serves without having applied what it missed")
	}
	if c.drops != drops {
		t.Error("it dropped everything, where the log tells what it missed")
	}
}

func TestAMinorityNeverFinishesAnInvalidation(t *testing.T) {
	n, hosts := twoOfThree(t)
	c := hosts[2]
	n.isolate(c)
	n.run(3 * testLease)
	op := c.invalidate(key("k"))
	n.run(5 * testLease)
	if c.isDone(op) || !c.Pending(op) {
		t.Fatal("an invalidation is done that nobody else has heard of")
	}
	if missing := c.Missing(n.now, op); !slices.Equal(missing, []string{"a", "b"}) {
		t.Errorf("missing: %v", missing)
	}
	n.heal()
	n.until(4*testLease, "done after healing", func() bool { return c.isDone(op) })
	if !hosts[0].has(key("k")) || !hosts[1].has(key("k")) {
		t.Error("done, but not applied")
	}
}

func TestWhoHearsNewInstancesAloneDropsEverything(t *testing.T) {
	n, hosts := twoOfThree(t)
	c := hosts[2]
	n.isolate(c)
	op := hosts[0].invalidate(key("k"))
	n.until(2*testLease, "done", func() bool { return hosts[0].isDone(op) })
	hosts[0].dead, hosts[1].dead = true, true
	for i, id := range []string{"a", "b"} {
		h := n.add(id, uint64(100+i), func(c *Config) { c.Quorum = 2 })
		h.take(h.Open(n.now, "c", time.Minute))
	}
	drops := c.drops
	n.heal()
	n.until(6*testLease, "it serves", func() bool { return !c.isFenced() })
	if c.drops == drops {
		t.Error("it serves what it held before, though nobody remembers what was invalidated meanwhile")
	}
}

func TestARestartedMemberCountsAfterALeaseAndNobodyDrops(t *testing.T) {
	n, hosts := twoOfThree(t)
	hosts[2].dead = true
	drops := hosts[0].drops
	n.run(testHeartbeat)
	c := n.add("c", 103, func(c *Config) { c.Quorum = 2 })
	n.until(6*testLease, "it serves", func() bool { return !c.isFenced() })
	hosts[1].dead = true
	n.run(4 * testLease)
	if hosts[0].isFenced() {
		t.Error("the restarted member does not count")
	}
	if hosts[0].drops != drops {
		t.Error("a member dropped everything while it had a quorum all along")
	}
}

func TestOneBrokenLinkFencesNobody(t *testing.T) {
	n, hosts := twoOfThree(t)
	a, b, c := hosts[0], hosts[1], hosts[2]
	n.cut = func(from, to *testHost, _ any) bool { return from != b && to != b }
	n.run(4 * testLease)
	if a.isFenced() || b.isFenced() || c.isFenced() {
		t.Fatal("somebody is fenced who hears a quorum")
	}
	op := a.invalidate(key("k"))
	n.until(2*testLease, "done", func() bool { return a.isDone(op) })
	if !c.has(key("k")) && !c.isFenced() {
		t.Error("done, and the member that the caller cannot hear serves without it")
	}
}

func TestWhoIsHeardButHearsNothingIsNotWaitedForForEver(t *testing.T) {
	n, hosts := twoOfThree(t)
	a, c := hosts[0], hosts[2]
	n.cut = func(_, to *testHost, _ any) bool { return to == c }
	op := a.invalidate(key("k"))
	n.until(5*testLease/2, "done", func() bool { return a.isDone(op) })
	if !c.isFenced() {
		t.Error("it serves")
	}
}

func TestAQuorumOfOneServesAlone(t *testing.T) {
	n := newNet(t)
	a := n.add("a", 1, func(c *Config) { c.Quorum = 1 })
	n.until(2*testLease, "it serves", func() bool { return !a.isFenced() })
	op := a.invalidate(key("k"))
	n.until(testLease, "done", func() bool { return a.isDone(op) })
}

func TestAJoinerOfAnotherQuorumOrLeaseIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		says   []string
	}{
		"another quorum": {func(c *Config) { c.Quorum = 3 }, []string{"Quorum is 2 there and 3 here"}},
		"no quorum":      {func(c *Config) { c.Quorum = 0 }, []string{"Quorum is 2 there and 0 here"}},
		"another lease":  {func(c *Config) { c.Quorum, c.Lease = 2, 2*testLease }, []string{"Lease is 1.5s there and 3s here"}},
	} {
		t.Run(name, func(t *testing.T) {
			n, hosts := twoOfThree(t)
			d := n.add("d", 9, c.change)
			n.run(2 * testHeartbeat)
			for _, s := range c.says {
				if !strings.Contains(d.refused, s) {
					t.Errorf("refused with %q", d.refused)
				}
			}
			if d.joined != 0 || !hosts[0].counts("a", "b", "c") {
				t.Error("it is a member")
			}
		})
	}
}

func TestOfTwoThatStartWithDifferentQuorumsTheYoungerIsRefused(t *testing.T) {
	n := newNet(t)
	a := n.add("a", 1, func(c *Config) { c.Quorum = 2 })
	n.run(10 * time.Millisecond)
	b := n.add("b", 2, func(c *Config) { c.Quorum = 3 })
	n.run(testHeartbeat)
	if a.refused != "" || b.refused == "" {
		t.Errorf("a: %q, b: %q", a.refused, b.refused)
	}
}

func TestADisplacedMemberIsFencedForAsLongAsTheElderLives(t *testing.T) {
	n, hosts := twoOfThree(t)
	c := hosts[2]
	c.take(c.Receive(n.now, "c", &Taken{ID: "c", Nonce: 3}))
	if c.refused == "" || !c.isFenced() || c.owns("c") {
		t.Errorf("refused %q, fenced %v, owns %v", c.refused, c.isFenced(), c.owns("c"))
	}
	op := c.invalidate(key("k"))
	elder := &Beat{From: Instance{ID: "c", Inc: 9 << 32}, Nonce: 77, Heartbeat: testHeartbeat, Lease: testLease, Quorum: 2}
	for range 4 * testLease / testHeartbeat {
		elder.Seq++
		c.take(c.Receive(n.now, "c", elder))
		n.run(testHeartbeat)
	}
	if c.isDone(op) || !c.isFenced() {
		t.Errorf("its invalidation is done: %v; fenced: %v", c.isDone(op), c.isFenced())
	}
	n.until(4*testLease, "it serves again, and its invalidation is done", func() bool { return c.isDone(op) && !c.isFenced() })
	if !hosts[0].has(key("k")) || !hosts[1].has(key("k")) {
		t.Error("the others have not applied it")
	}
}

func TestANamesakeDisplacesNobodyWhoMayHoldALease(t *testing.T) {
	n, hosts := twoOfThree(t)
	a, c := hosts[0], hosts[2]
	elder := &Beat{From: Instance{ID: "c", Inc: 9 << 32}, Nonce: 77, Seq: 1, Heartbeat: testHeartbeat, Lease: testLease,
		Quorum: 2, Joined: true, For: time.Hour, Tenure: time.Hour}
	a.take(a.Receive(n.now, "c", elder))
	if inst, waits := a.Known("c"); inst != c.Self() || !waits {
		t.Errorf("known is %v, waited for %v", inst, waits)
	}
}

func TestFencedAndServingAreLoggedOnceEach(t *testing.T) {
	n, hosts := twoOfThree(t)
	c := hosts[2]
	lines := func(word string) (count int) {
		for _, l := range c.log {
			if strings.Contains(l, word) {
				count++
			}
		}
		return count
	}
	if lines("fenced:") != 0 || lines("answering from memory") != 1 {
		t.Errorf("at the start: %q", c.log)
	}
	n.isolate(c)
	n.run(4 * testLease)
	n.heal()
	n.run(4 * testLease)
	if lines("fenced:") != 1 || lines("answering from memory") != 2 {
		t.Errorf("%q", c.log)
	}
}

func TestInBoundedModeNobodyIsEverFenced(t *testing.T) {
	n, hosts := trio(t)
	n.isolate(hosts[2])
	n.run(5 * testLease)
	for _, h := range hosts {
		if h.isFenced() || h.View().Fenced(never-1) {
			t.Errorf("%v is fenced", h.Self())
		}
	}
}

func TestAGrantDoesNotCountWhileWhatCameWithItIsMissing(t *testing.T) {
	n, hosts := twoOfThree(t)
	a, c := hosts[0], hosts[2]
	first := key("first")
	n.cut = func(_, to *testHost, body any) bool {
		told, is := body.(*Told)
		_, tail := body.(*Tail)
		return to == c && (tail || is && told.Records[0].Target == first)
	}
	a.invalidate(first)
	a.invalidate(key("second"))
	n.run(2 * testLease)
	if !c.has(key("second")) || c.has(first) {
		t.Fatal("the test is wrong")
	}
	if !c.isFenced() {
		t.Error("it serves, and lacks what its quorum has shown")
	}
	n.heal()
	n.until(testLease, "it serves", func() bool { return !c.isFenced() })
	if !c.has(first) {
		t.Error("it serves without it")
	}
}

// threeOfFive is five members with a Quorum of 3 that all serve.
func threeOfFive(t testing.TB) (*testNet, []*testHost) {
	n := newNet(t)
	for i, id := range []string{"a", "b", "c", "d", "e"} {
		n.add(id, uint64(i+1), func(c *Config) { c.Quorum = 3 })
	}
	n.until(3*testLease, "all serve", func() bool {
		return !slices.ContainsFunc(n.hosts, func(h *testHost) bool { return h.isFenced() })
	})
	n.run(2 * testHeartbeat)
	return n, n.hosts
}

func TestOneGrantThatGoesOnIsNoQuorumOfThree(t *testing.T) {
	n, hosts := threeOfFive(t)
	d, e := hosts[3], hosts[4]
	n.cut = func(from, to *testHost, _ any) bool { return (from == e) != (to == e) && from != d && to != d }
	cut := n.now
	n.until(testLease, "it is fenced", func() bool {
		if until := e.View().ServesUntil; until > cut+int64(testLease) {
			t.Fatalf("its view lets it serve for %v", time.Duration(until-cut))
		}
		return e.isFenced()
	})
	n.run(3 * testLease)
	if !e.isFenced() || d.isFenced() {
		t.Error("one grant is taken for a quorum")
	}
}

func TestWhoeverLacksAnEarlierInvalidationDoesNotCountForALaterOne(t *testing.T) {
	n, hosts := twoOfThree(t)
	a, b, c := hosts[0], hosts[1], hosts[2]
	first := key("first")
	n.cut = func(from, to *testHost, body any) bool {
		told, is := body.(*Told)
		_, tail := body.(*Tail)
		return from == c || to == c || to == b && (tail || is && told.Records[0].Target == first)
	}
	a.invalidate(first)
	op := a.invalidate(key("second"))
	n.run(4 * testLease)
	if !b.has(key("second")) || b.has(first) {
		t.Fatal("the test is wrong")
	}
	if a.isDone(op) {
		t.Error("done, and the quorum's heartbeats do not show it")
	}
}

func TestTheLeaseOfAQuorumBeginsAgainWhenOneOfItIsLost(t *testing.T) {
	n, hosts := threeOfFive(t)
	a, b, d := hosts[0], hosts[1], hosts[3]
	apart := func(from, to *testHost) bool {
		far := func(h *testHost) bool { return h == d || h == hosts[4] }
		return from == a && far(to) || to == a && far(from)
	}
	n.cut = func(from, to *testHost, _ any) bool { return apart(from, to) }
	n.until(4*testLease, "a evicts d and e", func() bool { return a.counts("a", "b", "c") })
	n.run(testLease)
	n.cut = func(from, to *testHost, body any) bool {
		_, beat := body.(*Beat)
		return apart(from, to) || from == b && to == a && beat
	}
	op := a.invalidate(key("k"))
	began := n.now
	n.run(testLease / 10)
	n.cut = func(from, to *testHost, body any) bool {
		_, beat := body.(*Beat)
		return to == hosts[4] && from == a || from == hosts[4] && to == a || from == b && to == a && beat
	}
	n.until(3*testLease, "done", func() bool { return a.isDone(op) })
	if took := time.Duration(n.now - began); took < 13*testLease/10 {
		t.Errorf("done after %v, though b, of the quorum that had confirmed first, was not heard any more", took)
	}
}

func TestWhatNobodyWaitsForAnyMoreIsNotKept(t *testing.T) {
	n, hosts := twoOfThree(t)
	a := hosts[0]
	n.isolate(a)
	ops := []uint64{a.invalidate(key("k"))} // while its leases last
	n.run(4 * testLease)
	if !a.isFenced() || !a.Pending(ops[0]) {
		t.Fatal("a is not fenced, or done")
	}
	for range 100 {
		ops = append(ops, a.invalidate(key("k")))
	}
	for _, op := range ops {
		a.Forget(op)
	}
	n.run(testHeartbeat)
	if len(a.ops) != 0 || len(a.lingering) != 0 {
		t.Errorf("%d operations are kept, %d linger", len(a.ops), len(a.lingering))
	}
	n.heal()
	n.until(4*testLease, "the others have applied it", func() bool { return hosts[1].has(key("k")) && hosts[2].has(key("k")) })
}

func TestWhatIsGivenUpIsToldAgainUntilTheLeasesAreOver(t *testing.T) {
	n, hosts := twoOfThree(t)
	a, b := hosts[0], hosts[1]
	n.cut = func(from, to *testHost, body any) bool { return from == a && to == b }
	op := a.invalidate(key("k"))
	a.Forget(op)
	n.run(time.Duration(3 * delay))
	n.heal()
	n.until(testHeartbeat, "b is told again", func() bool { return b.has(key("k")) })
	n.until(testLease, "nothing is kept", func() bool { return len(a.ops) == 0 })
	if a.isDone(op) {
		t.Error("it was said to be done")
	}
}
