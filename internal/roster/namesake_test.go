package roster

import (
	"math"
	"strings"
	"testing"
	"time"
)

// displacement is a mesh of a, b and x in which y, also called x, has been displaced when two parts met.
func displacement(t *testing.T) (n *testNet, a, b, x, y *testHost) {
	n = newNet(t)
	parted := true
	side := map[*testHost]int{}
	n.cut = func(from, to *testHost, _ any) bool { return parted && side[from] != side[to] }
	a, x = n.add("a", 1), n.add("x", 2)
	n.run(time.Second)
	b, y = n.add("b", 3), n.add("x", 4)
	side[b], side[y] = 1, 1
	for _, h := range n.hosts {
		h.take(h.Open(n.now, "c", time.Minute))
	}
	n.run(3 * time.Second)
	parted = false
	n.until(3*testLease, "one mesh", func() bool { return a.counts("a", "b", "x") && b.counts("a", "b", "x") && y.refused != "" })
	n.run(testLease)
	if !y.View().Displaced || !y.counts("x") || !y.owns("x") || x.View().Displaced {
		t.Fatalf("the younger is not alone: %+v", y.View())
	}
	return n, a, b, x, y
}

func (h *testHost) lines(words string) (count int) {
	for _, l := range h.log {
		if strings.Contains(l, words) {
			count++
		}
	}
	return count
}

func TestADisplacedMemberStaysAloneForAsLongAsTheElderIsHeard(t *testing.T) {
	n, a, _, x, y := displacement(t)
	n.run(20 * testLease)
	if !y.View().Displaced || y.lines("joining again") > 0 || !a.Counts(n.now, x.Self()) {
		t.Errorf("%+v; %q", y.View(), y.log)
	}
}

func TestADisplacedMemberJoinsAgainWhenTheElderHasDied(t *testing.T) {
	n, a, b, x, y := displacement(t)
	before, drops := y.Self(), y.drops
	x.dead = true
	n.until(2*testLease+testHeartbeat, "it is back", func() bool {
		return a.Counts(n.now, y.Self()) && b.Counts(n.now, y.Self()) && y.counts("a", "b", "x") && y.owns("x")
	})
	if y.Self().Inc <= before.Inc || y.Self().Inc <= x.Self().Inc || y.drops != drops+1 || y.View().Displaced {
		t.Errorf("it was %v, the elder %v, it is %v, and has dropped everything %d times", before, x.Self(), y.Self(), y.drops-drops)
	}
}

func TestADisplacedMemberJoinsAgainAtOnceWhenTheElderHasLeft(t *testing.T) {
	n, a, b, x, y := displacement(t)
	x.take(x.Leave(n.now))
	n.run(50 * time.Millisecond)
	x.take(x.Gone(n.now))
	x.dead = true
	n.until(testHeartbeat, "it is back", func() bool { return a.Counts(n.now, y.Self()) && b.Counts(n.now, y.Self()) && y.owns("x") })
}

// Its heartbeats are not heard, but it is there: each time it says so, and each time the wait is twice as long.
func TestADisplacedMemberTriesSeldomWhereTheElderIsAlive(t *testing.T) {
	n, a, _, x, y := displacement(t)
	drops := x.drops
	n.cut = func(from, to *testHost, body any) bool {
		_, beat := body.(*Beat)
		return from == x && to == y && beat
	}
	n.run(70 * testLease)
	if tries := y.lines("joining again"); tries < 4 || tries > 9 {
		t.Errorf("%d tries in 70 leases", tries)
	}
	if !a.Counts(n.now, x.Self()) || x.drops > drops {
		t.Error("the elder was disturbed")
	}
}

func TestADisplacedMemberDropsWhatItHearsInvalidated(t *testing.T) {
	n, a, _, x, y := displacement(t)
	op := a.invalidate(key("k"))
	n.run(10 * time.Millisecond)
	if !a.isDone(op) || !y.has(key("k")) || !x.has(key("k")) {
		t.Errorf("done %v; applied: %v", a.isDone(op), y.applied)
	}
}

func TestAnInvalidationOfOneWhoJoinsAgainWaitsForThoseItHasYetToFind(t *testing.T) {
	n, a, b, x, y := displacement(t)
	n.cut = func(from, to *testHost, body any) bool { return to == b && tells(body) }
	x.take(x.Gone(n.now))
	x.dead = true
	n.until(testHeartbeat, "it joins again", func() bool { return !y.View().Displaced })
	op := y.invalidate(key("k"))
	if y.isDone(op) || y.View().Joined {
		t.Fatalf("done %v, joined %v", y.isDone(op), y.View().Joined)
	}
	n.run(testLease / 2)
	if y.isDone(op) || !a.has(key("k")) {
		t.Errorf("done %v although b has not heard of it; a has: %v", y.isDone(op), a.has(key("k")))
	}
	n.cut = func(_, _ *testHost, _ any) bool { return false }
	n.until(testLease, "done", func() bool { return y.isDone(op) && b.has(key("k")) })
}

// b knows of a, whom the one who joins again does not hear: it is not joined for as long as that lasts.
func TestAnInvalidationOfOneWhoCannotJoinAgainWaitsForALease(t *testing.T) {
	n, a, b, x, y := displacement(t)
	n.cut = func(from, to *testHost, _ any) bool { return from == y && to == a || from == a && to == y }
	x.take(x.Gone(n.now))
	x.dead = true
	n.until(testHeartbeat, "it joins again", func() bool { return !y.View().Displaced })
	op := y.invalidate(key("k"))
	n.run(testLease / 2)
	if y.isDone(op) || y.Missing(n.now, op) == nil {
		t.Errorf("done %v, missing %v", y.isDone(op), y.Missing(n.now, op))
	}
	n.until(testLease, "done", func() bool { return y.isDone(op) })
	if !b.has(key("k")) || y.View().Joined {
		t.Errorf("b has it: %v; joined: %v", b.has(key("k")), y.View().Joined)
	}
}

func TestOneWhoIsAloneWhenItJoinsAgainInvalidatesAfterAHeartbeat(t *testing.T) {
	n, a, b, x, y := displacement(t)
	a.dead, b.dead, x.dead = true, true, true
	n.until(2*testLease, "it joins again", func() bool { return !y.View().Displaced })
	op := y.invalidate(key("k"))
	n.until(testHeartbeat+testLease, "done", func() bool { return y.isDone(op) })
	if !y.View().Joined || y.Missing(n.now, op) != nil {
		t.Errorf("%+v; missing: %v", y.View(), y.Missing(n.now, op))
	}
}

func TestWhenNamesakesRefuseEachOtherOneStays(t *testing.T) {
	n := newNet(t)
	n.cut = func(_, _ *testHost, _ any) bool { return true }
	x, y := n.add("x", 1), n.add("x", 2)
	n.run(time.Second)
	// Each hears a heartbeat of the other that was long under way: it seems the younger.
	of := func(h *testHost) *Beat {
		b := *h.beat("")
		b.Tenure, b.For = time.Millisecond, time.Millisecond
		return &b
	}
	toX, toY := of(y), of(x)
	taken := func(e Effects) *Taken {
		for _, m := range e.Send {
			if t, ok := m.Body.(*Taken); ok {
				return t
			}
		}
		t.Fatal("nobody is refused")
		return nil
	}
	byX, byY := taken(x.Receive(n.now, "x", toX)), taken(y.Receive(n.now, "x", toY))
	x.take(x.Receive(n.now, "x", byY))
	y.take(y.Receive(n.now, "x", byX))
	if x.refused == "" || y.refused != "" {
		t.Errorf("refused: %q and %q", x.refused, y.refused)
	}
}

// a lives and may hold the value: its confirmation is lacking, and nobody waits for it any more.
func TestAnInvalidationUnderWayWhenItsMemberIsDisplacedIsNotDone(t *testing.T) {
	n, a, b, x, y := displacement(t)
	x.dead = true
	n.until(3*testLease, "y is back", func() bool { return y.counts("a", "b", "x") && y.View().Joined })
	n.cut = func(_, to *testHost, body any) bool { return to == a && tells(body) }
	op := y.invalidate(key("k"))
	n.run(10 * time.Millisecond)
	y.take(y.Receive(n.now, "x", &Taken{ID: "x", Nonce: 4}))
	if !y.View().Displaced || y.isDone(op) || len(y.parted) != 1 || y.parted[0].ID != op || strings.Join(y.parted[0].Missing, " ") != "a" {
		t.Fatalf("displaced %v, done %v, parted %+v", y.View().Displaced, y.isDone(op), y.parted)
	}
	n.run(testLease / 2)
	if y.isDone(op) {
		t.Error("it was said to be done")
	}
	n.cut = func(_, _ *testHost, _ any) bool { return false }
	n.until(4*testLease, "a has it once y has joined again", func() bool { return a.has(key("k")) && y.isDone(op) })
	if len(y.ops) > 0 || !b.has(key("k")) {
		t.Errorf("%d operations are kept; b has it: %v", len(y.ops), b.has(key("k")))
	}
}

func TestAnInvalidationOfOneWhoIsDisplacedWhileItJoinsAgainEnds(t *testing.T) {
	n, _, _, x, y := displacement(t)
	n.cut = func(from, to *testHost, body any) bool {
		_, beat := body.(*Beat)
		return from == x && to == y && beat // y tries, and x says that the ID is taken
	}
	n.until(5*testLease, "y joins again", func() bool { return !y.View().Displaced })
	op := y.invalidate(key("k")) // it has heard nobody yet
	y.take(y.Receive(n.now, "x", &Taken{ID: "x", Nonce: 4}))
	if !y.View().Displaced || y.isDone(op) || len(y.parted) != 1 || y.parted[0].ID != op {
		t.Errorf("displaced %v, done %v, parted %+v", y.View().Displaced, y.isDone(op), y.parted)
	}
}

func TestADisplacedFencedMemberKeepsNothingOfWhatIsGivenUp(t *testing.T) {
	n := newNet(t)
	y := n.add("y", 7, func(c *Config) { c.Quorum = 2 })
	n.run(2 * testLease)
	for range 100 {
		y.take(y.Receive(n.now, "y", &Taken{ID: "y", Nonce: 7})) // the elder is there
		op := y.invalidate(key("k"))
		n.run(5 * time.Millisecond)
		y.Forget(op)
	}
	n.run(testLease / 2)
	if !y.apart || len(y.ops) > 0 || len(y.lingering) > 1 { // the last goes with the next step
		t.Errorf("apart %v; %d operations are kept, %d linger", y.apart, len(y.ops), len(y.lingering))
	}
}

func TestADisplacedMemberIgnoresTheLastWordOfAnImpossibleIncarnation(t *testing.T) {
	n, _, _, _, y := displacement(t)
	before := y.Self()
	y.take(y.Receive(n.now, "x", &Gone{From: Instance{ID: "x", Inc: math.MaxUint64}}))
	n.run(testLease)
	if y.Self() != before || !y.View().Displaced {
		t.Errorf("it was %x, is %x, displaced: %v", before.Inc, y.Self().Inc, y.View().Displaced)
	}
}
