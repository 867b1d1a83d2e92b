package roster

import (
	"fmt"
	"testing"
	"time"
)

// beatOf is a heartbeat of a member that has just started.
func beatOf(id string, inc uint64) *Beat {
	return &Beat{From: Instance{ID: id, Inc: inc}, Nonce: inc, Seq: 1, Heartbeat: testHeartbeat, Lease: testLease}
}

func TestWhatAMemberHasConfirmedIsNotCarriedToIt(t *testing.T) {
	n, hosts := trio(t)
	a, b, c := hosts[0], hosts[1], hosts[2]
	n.cut = func(from, to *testHost, body any) bool { _, beat := body.(*Beat); return beat }
	op := a.invalidate(key("k"))
	if a.AllShown(b.Self()) {
		t.Error("nothing is carried before b has confirmed")
	}
	n.until(testHeartbeat, "done", func() bool { return a.isDone(op) })
	if carry := a.CarryTo(b.Self(), []Target{key("k")}, 1<<20); !a.AllShown(b.Self()) || !carry.Empty() {
		t.Errorf("carried %+v", carry)
	}
	if carry := c.CarryTo(b.Self(), []Target{key("k")}, 1<<20); len(carry.Records) != 1 {
		t.Errorf("c, to which nobody confirms, carried %+v", carry)
	}
	if carry := c.CarryTo(a.Self(), []Target{key("k")}, 1<<20); !carry.Empty() {
		t.Errorf("carried to a what it has issued: %+v", carry)
	}
}

func TestToAnInstanceThatIsNotTheOneKnownEverythingIsCarried(t *testing.T) {
	n, hosts := trio(t)
	a, b := hosts[0], hosts[1]
	op := a.invalidate(key("k"))
	n.until(testLease, "done", func() bool { return a.isDone(op) })
	n.run(2 * testHeartbeat)
	older := b.Self()
	older.Inc--
	if carry := a.CarryTo(older, []Target{key("k")}, 1<<20); a.AllShown(older) || len(carry.Records) != 1 {
		t.Errorf("carried %+v", carry)
	}
}

func TestAConfirmationOfAnEarlierIncarnationsNumbersIsVoid(t *testing.T) {
	n, hosts := trio(t)
	a, b := hosts[0], hosts[1]
	op := a.invalidate(keys(20)...)
	n.until(testLease, "done", func() bool { return a.isDone(op) })
	next := a.Self()
	next.Inc += 1 << 32
	a.take(a.Receive(n.now, "c", &Beat{From: hosts[2].Self(), Nonce: 3, Seq: 1 << 20, Heartbeat: testHeartbeat, Lease: testLease,
		Peers: []PeerState{{Instance: next}}}))
	if a.Self().Inc <= next.Inc {
		t.Fatalf("a is %v", a.Self())
	}
	a.invalidate(key("k"))
	if carry := a.CarryTo(b.Self(), []Target{key("k")}, 1<<20); len(carry.Records) == 0 {
		t.Error("b, which has confirmed 20 records of its predecessor, is carried nothing")
	}
}

func TestWhatThePeerKnowsIsPassedOnce(t *testing.T) {
	n, hosts := trio(t)
	a, b, c := hosts[0], hosts[1], hosts[2]
	for i := range 3000 {
		a.invalidate(Target{"c", ByTag, fmt.Sprint(i)})
	}
	n.run(2 * testHeartbeat)
	n.cut = func(from, to *testHost, body any) bool { _, beat := body.(*Beat); return beat }
	last := Target{"c", ByTag, "last"}
	a.invalidate(last)
	n.run(5 * time.Millisecond)
	carry := c.CarryTo(b.Self(), []Target{key("k")}, 1<<20)
	if len(carry.Records) != 1 || carry.Records[0].Target != last {
		t.Fatalf("carried %d records, %d bases", len(carry.Records), len(carry.Bases))
	}
	if again := c.CarryTo(b.Self(), []Target{key("k")}, 1<<20); len(again.Records) != 1 {
		t.Errorf("the second question carried %d records", len(again.Records))
	}
	if p := c.peers["b"]; p.passed != 3000 {
		t.Errorf("%d records are passed, want the 3000 that b has shown", p.passed)
	}
}

func TestATailThatDoesNotFitOneMessageNamesItsSourcesOnceAndTheRestIsAskedFor(t *testing.T) {
	const most = 4 << 10
	n, hosts := trio(t, func(c *Config) { c.MaxBytes, c.LogSize = most, 50 })
	a, b := hosts[0], hosts[1]
	var records []Invalidation
	for i := range 200 { // of 40 whose content the log has lost, and 10 of which it has some
		src := Instance{ID: fmt.Sprintf("s%03d", i%40), Inc: 1 << 32}
		records = append(records, Invalidation{Source: src, N: uint64(i/40 + 1), Target: key(fmt.Sprint(i))})
	}
	a.take(a.Take(n.now, Carry{Records: records}))
	e := a.Receive(n.now, "b", &Want{From: b.Self(), To: a.Self(), Have: b.vector()})
	bases, got, messages := map[Instance]int{}, 0, 0
	for _, m := range e.Send {
		tail, ok := m.Body.(*Tail)
		if !ok {
			continue
		}
		messages++
		bytes := baseSize * len(tail.Bases)
		named := map[Instance]bool{}
		for _, s := range tail.Bases {
			bases[s.Source]++
			named[s.Source] = true
		}
		for _, r := range tail.Records {
			got++
			if bytes += size(r.Target); !named[r.Source] {
				t.Errorf("a record of %v comes without its age", r.Source)
			}
		}
		if bytes > most {
			t.Errorf("a message of up to %d bytes", bytes)
		}
	}
	if got < 10 || got > 20 || len(bases) != 40 || messages != 2 {
		t.Errorf("%d records and %d sources in %d messages", got, len(bases), messages)
	}
	a.take(e)
	n.run(2 * testHeartbeat)
	if a.lacks(&peer{Instance: b.Self(), shown: shownOf(b)}) {
		t.Error("b has not applied all")
	}
}

// shownOf is what a member shows to have applied.
func shownOf(h *testHost) map[Instance]uint64 {
	shown := map[Instance]uint64{}
	for _, a := range h.vector() {
		shown[a.Source] = a.Upto
	}
	return shown
}

func TestWhoHasBeenSilentForLongIsNotEchoed(t *testing.T) {
	n, hosts := trio(t)
	a := hosts[0]
	for i := range 500 {
		id := fmt.Sprintf("x%03d", i)
		a.take(a.Receive(n.now, id, beatOf(id, 9<<32|uint64(i))))
	}
	n.run(testHeartbeat)
	if got := len(a.echoes()); got != 502 {
		t.Errorf("%d are echoed, want all at first", got)
	}
	n.run(5 * testLease)
	if got := len(a.echoes()); got != 2 || len(a.peers) != 502 {
		t.Errorf("%d are echoed and %d known, want 2 and 502", got, len(a.peers))
	}
	e := a.Receive(n.now, "x007", beatOf("x007", 1<<32|77)) // it starts anew, and knows nothing of 9
	told := false
	for _, m := range e.Send {
		b, ok := m.Body.(*Beat)
		for i := 0; ok && m.To == "x007" && i < len(b.Peers); i++ {
			told = told || b.Peers[i].ID == "x007" && b.Peers[i].Inc == 9<<32|7
		}
	}
	if !told {
		t.Error("an older incarnation is not told of the newer one that is remembered")
	}
}

func TestOfMoreMembersThanAreRememberedTheLongestSilentMakeRoom(t *testing.T) {
	onOneGoroutine(t)
	n, hosts := trio(t)
	a := hosts[0]
	for i := range maxPeers {
		id := fmt.Sprintf("x%04d", i)
		a.take(a.Receive(n.now, id, beatOf(id, 1<<32|uint64(i+1))))
		if i == 10 {
			n.run(2 * testLease) // eleven are silent for longer
		}
	}
	if len(a.peers) != maxPeers {
		t.Fatalf("%d are known", len(a.peers))
	}
	a.take(a.Receive(n.now, "new", beatOf("new", 1<<32|5)))
	if a.peers["new"] != nil && a.peers["x0000"] != nil {
		t.Error("nobody made room")
	}
	if len(a.peers) != maxPeers || a.peers["b"] == nil || a.peers["c"] == nil {
		t.Errorf("%d are known, or not the members", len(a.peers))
	}
	n.run(2 * testLease)
	d := n.add("d", 4)
	d.take(d.Open(n.now, "c", time.Minute))
	n.until(2*testLease, "a newcomer joins", func() bool { return a.counts("a", "b", "c", "d") && d.joined > 0 })
}

func TestAMemberThatMadeRoomAndComesBackSoonWasNotApartForLong(t *testing.T) {
	n, hosts := trio(t)
	a, b := hosts[0], hosts[1]
	for _, h := range hosts {
		h.take(h.Open(n.now, "forever", -1))
	}
	n.run(testHeartbeat)
	if !a.forever {
		t.Fatal("no cache keeps values for ever")
	}
	n.isolate(b)
	n.run(3 * testLease)
	a.remove(a.peers["b"]) // as when it makes room
	n.heal()
	n.until(3*testLease, "b is back", func() bool { return a.counts("a", "b", "c") })
	if a.drops != 0 {
		t.Errorf("a dropped everything %d times: %q", a.drops, a.log)
	}
}

func TestInALargeMeshItIsRememberedForLongEnoughWhenHeartbeatsWereSent(t *testing.T) {
	now := int64(time.Hour)
	r := New(Config{ID: "a", Nonce: 1, LogSize: 10}, now)
	r.Start(now)
	for range 500 {
		r.beat("")
	}
	r.size, r.large = 3000, true
	at, _ := r.sentAt(200)
	r.remember()
	if got, ok := r.sentAt(200); !ok || got != at {
		t.Errorf("heartbeat 200 was sent at %d, now at %d: %v", at, got, ok)
	}
	first := r.seq + 1
	for range 3 * 3000 {
		now += int64(20 * time.Millisecond)
		r.now = now
		r.beat("")
	}
	if got, ok := r.sentAt(first); !ok || now-got < int64(3*3000-1)*int64(20*time.Millisecond) {
		t.Errorf("it is forgotten when a heartbeat to each of 3000 members ago was sent: %v %v", got, ok)
	}
	if _, ok := r.sentAt(first - uint64(len(r.sent))); ok {
		t.Error("it is remembered when one was sent whose place is another's")
	}
}
