package roster

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

const (
	testHeartbeat = 300 * time.Millisecond
	testLease     = 1500 * time.Millisecond
	delay         = int64(time.Millisecond)
)

// testNet joins rosters by links of one millisecond and a clock of its own.
type testNet struct {
	t     testing.TB
	now   int64
	hosts []*testHost
	queue []flying
	cut   func(from, to *testHost, body any) bool
	slow  func(to *testHost, body any) time.Duration // for so long a message keeps those behind it waiting
	free  map[*testHost]int64                        // when the link to a host is
	sent  int
}

type flying struct {
	at       int64
	from, to *testHost
	body     any
}

// testHost carries out effects and remembers them.
type testHost struct {
	*Roster
	net     *testNet
	dead    bool
	applied []Target
	drops   int
	done    []uint64
	parted  []Parted
	joined  int64 // when; 0: not yet
	refused string
	awake   int
	log     []string
}

func newNet(t testing.TB) *testNet {
	return &testNet{t: t, free: map[*testHost]int64{}, now: int64(time.Hour), cut: func(_, _ *testHost, _ any) bool { return false }}
}

func (n *testNet) add(id string, nonce uint64, change ...func(*Config)) *testHost {
	cfg := Config{ID: id, Nonce: nonce, Heartbeat: testHeartbeat, Lease: testLease}
	for _, f := range change {
		f(&cfg)
	}
	h := &testHost{Roster: New(cfg, n.now), net: n}
	n.hosts = append(n.hosts, h)
	h.take(h.Start(n.now))
	return h
}

// trio is three members that have joined and own the cache c.
func trio(t testing.TB, change ...func(*Config)) (*testNet, []*testHost) {
	n := newNet(t)
	for i, id := range []string{"a", "b", "c"} {
		h := n.add(id, uint64(i+1), change...)
		h.take(h.Open(n.now, "c", time.Minute))
	}
	n.run(time.Second)
	for _, h := range n.hosts {
		if len(h.View().Members) != 3 || !h.View().Joined {
			t.Fatalf("%v: %+v", h.Self(), h.View())
		}
	}
	return n, n.hosts
}

func (h *testHost) take(e Effects) {
	if e.Drop {
		h.drops++
	}
	h.applied = append(h.applied, e.Apply...)
	h.done, h.parted = append(h.done, e.Done...), append(h.parted, e.Parted...)
	if e.Joined {
		h.joined = h.net.now
	}
	if e.Refused != "" {
		h.refused = e.Refused
	}
	if e.Differs != "" {
		h.refused = e.Differs
	}
	if e.Awake {
		h.awake++
	}
	for _, l := range e.Log {
		h.log = append(h.log, l.Text)
	}
	for _, m := range e.Send {
		h.net.sent++
		for _, to := range h.net.hosts {
			if to != h && !to.dead && (m.To == "" || m.To == to.Self().ID) && !h.net.cut(h, to, m.Body) {
				h.net.fly(h, to, m.Body)
			}
		}
	}
}

// fly puts a message on its way: it comes after those that were sent to the host before.
func (n *testNet) fly(from, to *testHost, body any) {
	if n.slow != nil {
		n.free[to] = max(n.free[to], n.now) + int64(n.slow(to, body))
	}
	f := flying{max(n.now, n.free[to]) + delay, from, to, body}
	i := len(n.queue)
	for i > 0 && n.queue[i-1].at > f.at {
		i--
	}
	n.queue = slices.Insert(n.queue, i, f)
}

// run lets time pass.
func (n *testNet) run(d time.Duration) {
	for end := n.now + int64(d); n.now < end; n.now += delay {
		for len(n.queue) > 0 && n.queue[0].at <= n.now {
			f := n.queue[0]
			n.queue = n.queue[1:]
			if !f.to.dead {
				f.to.take(f.to.Receive(n.now, f.from.Self().ID, f.body))
			}
		}
		for _, h := range n.hosts {
			if !h.dead && n.now >= h.Next() {
				h.take(h.Tick(n.now))
			}
		}
	}
}

// until lets time pass until something holds, and fails past the limit.
func (n *testNet) until(limit time.Duration, what string, holds func() bool) time.Duration {
	n.t.Helper()
	start := n.now
	for !holds() {
		if time.Duration(n.now-start) > limit {
			n.t.Fatalf("not within %v: %s", limit, what)
		}
		n.run(time.Duration(delay))
	}
	return time.Duration(n.now - start)
}

func (h *testHost) counts(ids ...string) bool {
	var have []string
	for _, m := range h.View().Members {
		have = append(have, m.ID)
	}
	return slices.Equal(have, ids)
}

func (h *testHost) owns(id string) bool {
	m, _ := h.View().Member(id)
	return len(m.Caches) > 0 && m.Caches[0].Owned
}

func (h *testHost) invalidate(targets ...Target) uint64 {
	op, e := h.Invalidate(h.net.now, targets)
	h.take(e)
	return op
}

func (h *testHost) isDone(op uint64) bool { return slices.Contains(h.done, op) }

func (h *testHost) has(t Target) bool { return slices.Contains(h.applied, t) }

func key(k string) Target { return Target{Cache: "c", Kind: ByKey, Key: k} }

func keys(n int) (out []Target) {
	for i := range n {
		out = append(out, key(fmt.Sprintf("key-%06d", i)))
	}
	return out
}

// tells reports whether a message brings invalidations.
func tells(body any) bool {
	switch body.(type) {
	case *Told, *Tail:
		return true
	}
	return false
}

// onOneGoroutine skips a test that is long under the race detector, and in which it has nothing to find.
func onOneGoroutine(t *testing.T) {
	t.Helper()
	if raced {
		t.Skip("runs on one goroutine: the race detector makes this slow, and finds nothing")
	}
}
