package roster

import (
	"testing"
	"time"
)

func TestAloneACacheIsOwnedAtOnce(t *testing.T) {
	n := newNet(t)
	h := n.add("a", 1)
	n.run(time.Second)
	h.take(h.Open(n.now, "c", time.Minute))
	if !h.owns("a") {
		t.Errorf("%+v", h.View())
	}
}

func TestACacheIsOwnedOnceAllHaveHeardOfIt(t *testing.T) {
	n := newNet(t)
	a, b := n.add("a", 1), n.add("b", 2)
	n.run(time.Second)
	a.take(a.Open(n.now, "c", time.Minute))
	a.take(a.Tick(n.now))
	if a.owns("a") {
		t.Fatal("owned before anybody knows")
	}
	took := n.until(testHeartbeat, "owned", func() bool {
		if a.owns("a") && !b.owns("a") {
			t.Fatal("owned before b knows")
		}
		return a.owns("a")
	})
	if took > 20*time.Millisecond {
		t.Errorf("took %v, not a round trip", took)
	}
	a.take(a.Close(n.now, "c"))
	if m, _ := a.View().Member("a"); len(m.Caches) != 0 {
		t.Error("closed and still there")
	}
	n.until(testHeartbeat, "b knows", func() bool { return !b.owns("a") })
}

func TestMembersThatOpenTogetherAgreeOnAllOwners(t *testing.T) {
	n := newNet(t)
	a, b := n.add("a", 1), n.add("b", 2)
	n.run(time.Second)
	a.take(a.Open(n.now, "c", time.Minute))
	b.take(b.Open(n.now, "c", time.Minute))
	n.until(20*time.Millisecond, "agreed", func() bool { return a.owns("a") && a.owns("b") && b.owns("a") && b.owns("b") })
}

func TestAReaderOwnsNothing(t *testing.T) {
	n := newNet(t)
	a := n.add("a", 1)
	r := n.add("r", 2, func(c *Config) { c.Reader = true })
	a.take(a.Open(n.now, "c", time.Minute))
	r.take(r.Open(n.now, "c", time.Minute))
	n.run(time.Second)
	if r.joined == 0 || !r.owns("a") || r.owns("r") || a.owns("r") {
		t.Errorf("%+v\n%+v", r.View(), a.View())
	}
	if m, _ := a.View().Member("r"); !m.Reader || len(m.Caches) != 1 {
		t.Errorf("%+v", m)
	}
}

func TestSinceIsTheOwnersOwn(t *testing.T) {
	n, hosts := trio(t)
	mine := func(h *testHost, id string) int64 {
		m, _ := h.View().Member(id)
		return m.Caches[0].Since
	}
	d := mine(hosts[1], "a") - mine(hosts[0], "a")
	if d < -5*delay || d > 5*delay {
		t.Errorf("b thinks that a owns since %v later", time.Duration(d))
	}
	n.run(10 * time.Second)
	if now := mine(hosts[1], "a") - mine(hosts[0], "a"); now != d {
		t.Errorf("it moved by %v", time.Duration(now-d))
	}
}
