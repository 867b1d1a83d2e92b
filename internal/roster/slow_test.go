package roster

import (
	"testing"
	"time"
)

// bytesOf is the most that the records and sources of a message take.
func bytesOf(body any) (n int) {
	switch b := body.(type) {
	case *Told:
		for i := range b.Records {
			n += size(b.Records[i].Target)
		}
	case *Tail:
		n = baseSize * len(b.Bases)
		for i := range b.Records {
			n += size(b.Records[i].Target)
		}
	}
	return n
}

// slowTo makes the link to a host carry so many bytes a second.
func (n *testNet) slowTo(h *testHost, rate int) (got *int) {
	got = new(int)
	n.slow = func(to *testHost, body any) time.Duration {
		if to != h {
			return 0
		}
		*got += bytesOf(body)
		return time.Duration(bytesOf(body)) * time.Second / time.Duration(rate)
	}
	return got
}

// What is told again must not keep what was told first from coming, and heartbeats with it.
func TestAMemberOnASlowLinkIsToldLittleMoreThanOnce(t *testing.T) {
	for _, message := range []int{64 << 10, 512 << 10} {
		n, hosts := trio(t, func(c *Config) { c.Lease, c.MaxBytes = 20*time.Second, message })
		a, b := hosts[0], hosts[1]
		got := n.slowTo(b, 500_000)
		op := a.invalidate(keys(20_000)...)
		told := *got
		n.until(time.Duration(told/500_000+2)*time.Second, "done", func() bool { return a.isDone(op) })
		n.run(2 * time.Second)
		if more := *got - told; told < 2_000_000 || more > told/6 {
			t.Errorf("%d bytes were told, and %d again", told, more)
		}
		if !a.counts("a", "b", "c") || len(b.applied) != 20_000 {
			t.Errorf("it applied %d; a counts %v", len(b.applied), a.View().Members)
		}
	}
}

func TestALargeSetThatIsLostAsAWholeIsToldAgainWithinSeconds(t *testing.T) {
	n, hosts := trio(t, func(c *Config) { c.Lease = 20 * time.Second })
	a, b := hosts[0], hosts[1]
	lost := true
	n.cut = func(_, to *testHost, body any) bool {
		_, beat := body.(*Beat)
		return to == b && (lost || beat) // what heartbeats show would be asked for
	}
	op := a.invalidate(keys(20_000)...)
	n.run(time.Millisecond)
	lost = false
	n.until(7*time.Second, "done", func() bool { return a.isDone(op) })
}

// It asks for a part, and for the next when that has come: not again and again for all of it.
func TestAMemberOnASlowLinkCatchesUpWithoutAskingTwice(t *testing.T) {
	n, hosts := trio(t, func(c *Config) { c.Lease = 20 * time.Second })
	a, b, c := hosts[0], hosts[1], hosts[2]
	n.cut = func(from, to *testHost, _ any) bool { return from == b || to == b }
	for i := range 10 {
		a.invalidate(keys(20_000)[i*2000 : (i+1)*2000]...)
	}
	n.run(25 * time.Second)
	if !a.counts("a", "c") || !c.counts("a", "c") {
		t.Fatal("b is not gone")
	}
	before := len(b.applied)
	got := n.slowTo(b, 500_000)
	n.cut = func(_, _ *testHost, _ any) bool { return false }
	b.take(b.Resync(n.now))
	needed := 20_000 * size(keys(1)[0])
	n.until(time.Duration(needed/500_000*3/2)*time.Second, "all count all", func() bool {
		return a.counts("a", "b", "c") && b.counts("a", "b", "c") && c.counts("a", "b", "c")
	})
	if *got > needed*3/2 || len(b.applied)-before != 20_000 {
		t.Errorf("%d bytes for %d; it applied %d", *got, needed, len(b.applied)-before)
	}
}

// The log holds what came out of order as it came. A part of it must bring what lacks first, or nothing moves on.
func TestATailOfRecordsThatCameOutOfOrderMovesTheAskerOn(t *testing.T) {
	n, hosts := trio(t, func(c *Config) { c.MaxBytes = 4 << 10 })
	a, b := hosts[0], hosts[1]
	src := Instance{ID: "gone", Inc: 1 << 32}
	var records []Invalidation
	for i := uint64(200); i > 0; i-- {
		records = append(records, Invalidation{Source: src, N: i, Target: key("k")})
	}
	n.cut = func(_, to *testHost, _ any) bool { return to == b }
	a.take(a.Take(n.now, Carry{Records: records}))
	n.run(10 * time.Millisecond)
	n.cut = func(_, _ *testHost, _ any) bool { return false }
	n.until(2*testHeartbeat, "b has them", func() bool { return b.sources[src] != nil && b.sources[src].prefix == 200 })
	if b.drops > 0 {
		t.Error("it dropped everything")
	}
}
