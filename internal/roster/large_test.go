package roster

import (
	"container/heap"
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"
)

var membersFlag = flag.Int("members", 0, "measure a large mesh of this many members: 1000 take some minutes and gigabytes")

// fleet is many rosters, run by events: a testNet looks at each of them every millisecond.
type fleet struct {
	now    int64
	hosts  []*ship
	byID   map[string]*ship
	events []fleetEvent
	cut    func(to *ship, body any) bool // if not nil: what is lost
}

type fleetEvent struct {
	at   int64
	do   func()
	tick *ship
}

func (f *fleet) Len() int           { return len(f.events) }
func (f *fleet) Less(i, j int) bool { return f.events[i].at < f.events[j].at }
func (f *fleet) Swap(i, j int)      { f.events[i], f.events[j] = f.events[j], f.events[i] }
func (f *fleet) Push(x any)         { f.events = append(f.events, x.(fleetEvent)) }
func (f *fleet) Pop() any {
	last := f.events[len(f.events)-1]
	f.events = f.events[:len(f.events)-1]
	return last
}

type ship struct {
	*Roster
	fleet    *fleet
	dead     bool
	tickAt   int64
	received int
	beats    int
	echoes   int // PeerStates and Applieds received
	done     []uint64
	joined   int64
}

func newFleet() *fleet { return &fleet{now: int64(time.Hour), byID: map[string]*ship{}} }

func (f *fleet) add(i int, large Large) *ship {
	h := &ship{fleet: f, Roster: New(Config{ID: fmt.Sprintf("m%04d", i), Nonce: uint64(i + 1), LogSize: 1000, Large: large}, f.now)}
	f.hosts = append(f.hosts, h)
	f.byID[h.Self().ID] = h
	h.take(h.Start(f.now))
	h.take(h.Open(f.now, "c", time.Minute))
	return h
}

func (h *ship) take(e Effects) {
	f := h.fleet
	h.done = append(h.done, e.Done...)
	if e.Joined {
		h.joined = f.now
	}
	for _, m := range e.Send {
		deliver := func(to *ship) {
			if to == nil || to.dead || to == h || f.cut != nil && f.cut(to, m.Body) {
				return
			}
			to.received++
			if b, ok := m.Body.(*Beat); ok {
				to.beats++
				to.echoes += len(b.Peers) + len(b.Applied)
			}
			to.take(to.Receive(f.now, h.Self().ID, m.Body))
		}
		heap.Push(f, fleetEvent{at: f.now + delay, do: func() {
			if m.To != "" {
				deliver(f.byID[m.To])
				return
			}
			for _, to := range f.hosts {
				deliver(to)
			}
		}})
	}
	if at := max(h.Next(), f.now+delay); h.tickAt <= f.now || at < h.tickAt {
		h.tickAt = at
		heap.Push(f, fleetEvent{at: at, tick: h})
	}
}

func (f *fleet) run(d time.Duration) {
	end := f.now + int64(d)
	for len(f.events) > 0 && f.events[0].at <= end {
		e := heap.Pop(f).(fleetEvent)
		f.now = e.at
		switch h := e.tick; {
		case h == nil:
			e.do()
		case !h.dead && h.tickAt == e.at:
			h.take(h.Tick(f.now))
		}
	}
	f.now = end
}

func (f *fleet) until(t *testing.T, limit time.Duration, what string, holds func() bool) time.Duration {
	t.Helper()
	start := f.now
	for !holds() {
		if f.now-start > int64(limit) {
			t.Fatalf("not within %v: %s", limit, what)
		}
		f.run(50 * time.Millisecond)
	}
	return time.Duration(f.now - start)
}

// received is how many messages a member has received a second, on average and at most.
func (f *fleet) received(d time.Duration, meanwhile func()) (mean, most float64) {
	before := make([]int, len(f.hosts))
	for i, h := range f.hosts {
		before[i] = h.received
	}
	if meanwhile == nil {
		f.run(d)
	} else {
		meanwhile()
	}
	total := 0
	for i, n := range before {
		got := f.hosts[i].received - n
		total += got
		most = max(most, float64(got)/d.Seconds())
	}
	return float64(total) / float64(len(before)) / d.Seconds(), most
}

func (f *fleet) whole() bool {
	for _, h := range f.hosts {
		if !h.dead && (h.joined == 0 || len(h.View().Members) != len(f.living())) {
			return false
		}
	}
	return true
}

func (f *fleet) living() []*ship {
	return slices.DeleteFunc(slices.Clone(f.hosts), func(h *ship) bool { return h.dead })
}

// mesh is a fleet of n members that know each other.
func meshOf(t *testing.T, n int, large Large) *fleet {
	f := newFleet()
	for i := range n {
		f.add(i, large)
		if *membersFlag == 0 {
			f.run(20 * time.Millisecond)
		}
	}
	took := f.until(t, 2*time.Minute, "all count all", f.whole)
	t.Logf("%d members: all count all %v after the last has started", n, took)
	return f
}

func TestALargeMeshReceivesNoMoreThanASmallOne(t *testing.T) {
	if raced || testing.Short() {
		t.Skip("slow, and the race detector has nothing to find in one goroutine")
	}
	n := 60
	large := Large{From: 20}
	if *membersFlag > 0 {
		n, large = *membersFlag, Large{}
	}
	f := meshOf(t, n, large)
	f.run(30 * time.Second)
	echoes := f.hosts[0].echoes
	mean, most := f.received(30*time.Second, nil)
	t.Logf("steady: %.1f messages a second, %.1f at most; %.0f states", mean, most, float64(f.hosts[0].echoes-echoes)/30)
	if most > 50 {
		t.Errorf("a member receives %.1f messages a second", most)
	}

	mean, most = f.received(30*time.Second, func() {
		for i := range 300 {
			h := f.hosts[i*7%n]
			op, e := h.Invalidate(f.now, []Target{key(fmt.Sprint(i))})
			h.take(e)
			if f.run(100 * time.Millisecond); !slices.Contains(h.done, op) {
				t.Fatalf("invalidation %d is not done: %v", i, h.Missing(f.now, op))
			}
		}
	})
	t.Logf("10 invalidations a second: %.1f messages a second, %.1f at most", mean, most)
	if limit := 50. + 10 + 10; mean > limit {
		t.Errorf("a member receives %.1f messages a second with 10 invalidations", mean)
	}

	var joiner *ship
	mean, most = f.received(5*time.Second, func() {
		joiner = f.add(n, large)
		f.run(5 * time.Second)
	})
	t.Logf("while one joins: %.1f messages a second, %.1f at most; the joiner receives %d, with %d states; Join took %v",
		mean, most, joiner.received, joiner.echoes, time.Duration(joiner.joined-joiner.born))
	if most > 60 {
		t.Errorf("a member receives %.1f messages a second while another joins", most)
	}
	if joiner.joined == 0 || joiner.received > 12*n {
		t.Errorf("joined: %v, after %d messages", joiner.joined > 0, joiner.received)
	}
	if !f.whole() || !slices.ContainsFunc(joiner.View().Members, func(m Member) bool { return m.Self && m.Caches[0].Owned }) {
		t.Error("the joiner owns nothing, or is not counted by all")
	}
}

// A member that is killed is evicted by whom it keeps waiting, a lease as
// configured after it has been asked, however seldom heartbeats are.
func TestAnInvalidationInALargeMeshWaitsALeaseForTheDead(t *testing.T) {
	f := meshOf(t, 40, Large{From: 20, Pace: 500 * time.Millisecond})
	f.run(time.Minute)
	dead, h := f.hosts[7], f.hosts[3]
	dead.dead = true
	f.run(time.Second)
	op, e := h.Invalidate(f.now, []Target{key("k")})
	h.take(e)
	took := f.until(t, 8*time.Second, "the invalidation is done", func() bool { return slices.Contains(h.done, op) })
	if took < 4*time.Second {
		t.Errorf("evicted after %v, which is less than a lease", took)
	}
	if h.Counts(f.now, dead.Self()) {
		t.Error("the dead member is counted")
	}
	if !f.hosts[4].Counts(f.now, dead.Self()) {
		t.Error("nobody else has asked it: by the lease that it has announced it lives")
	}
	// A joiner hears of the dead from those who have not noticed, has them ask, and goes on.
	late := f.add(40, Large{From: 20, Pace: 500 * time.Millisecond})
	f.until(t, 10*time.Second, "Join returns although members list a dead one", func() bool { return late.joined > 0 })
}

// Heartbeats are rare in a large mesh: that three of those between two members are lost is
// no reason for one to evict the other.
func TestThreeLostHeartbeatsEvictNobodyInALargeMesh(t *testing.T) {
	f := meshOf(t, 10, Large{From: 5, Pace: 500 * time.Millisecond})
	f.run(time.Minute)
	for i := range 10 {
		a, b := f.hosts[i].Self(), f.hosts[(i+3)%10].Self()
		from, lost := 0, 0
		f.cut = func(to *ship, body any) bool {
			beat, ok := body.(*Beat)
			if !ok {
				return false
			}
			cut := false
			switch {
			case beat.From == b && to.Self() == a: // its next two
				from++
				cut = from <= 2
			case beat.From == a && to.Self() == b: // and what would have echoed the third
				cut = from >= 3 && lost < 3
			}
			if cut {
				lost++
			}
			return cut
		}
		for range 250 {
			if f.run(100 * time.Millisecond); !f.byID[b.ID].Counts(f.now, a) {
				t.Fatalf("%s has evicted %s after %d lost heartbeats", b.ID, a.ID, lost)
			}
		}
		if lost != 3 {
			t.Fatalf("%d heartbeats were lost", lost)
		}
	}
}

// Some tell a joiner of everybody. It does not join before it has heard one of them:
// it would know of nobody whose answer was lost.
func TestAJoinerOfALargeMeshWaitsForAList(t *testing.T) {
	f := meshOf(t, 40, Large{From: 20})
	lists := 0
	f.cut = func(to *ship, body any) bool {
		b, ok := body.(*Beat)
		if !ok || b.Partial || to.Self().ID != "m0040" {
			return false
		}
		lists++
		return true
	}
	h := f.add(40, Large{From: 20})
	f.run(5 * time.Second)
	if h.joined != 0 || lists < 2*8 || lists > 8*8 {
		t.Fatalf("joined: %v, although %d lists were lost", h.joined != 0, lists)
	}
	f.cut = nil
	f.until(t, 3*time.Second, "joined", func() bool { return h.joined > 0 })
}

func TestASlowOwnerInALargeMeshIsSuspectedOnceItIsProbed(t *testing.T) {
	f := meshOf(t, 40, Large{From: 20, Pace: 500 * time.Millisecond})
	f.run(time.Minute)
	h, live, dead := f.hosts[0], f.hosts[1], f.hosts[2]
	dead.dead = true
	for _, to := range []*ship{live, dead} {
		h.take(h.Probe(f.now, to.Self().ID))
	}
	f.run(busy + 50*time.Millisecond)
	if h.Suspects(f.now, live.Self().ID) || !h.Suspects(f.now, dead.Self().ID) {
		t.Errorf("suspects the live: %v, the dead: %v", h.Suspects(f.now, live.Self().ID), h.Suspects(f.now, dead.Self().ID))
	}
}

func TestARestartUnderTheSameIDWaitsALeaseInALargeMesh(t *testing.T) {
	large := Large{From: 20, Pace: 500 * time.Millisecond}
	f := meshOf(t, 40, large)
	f.run(time.Minute)
	f.hosts[7].dead = true
	f.hosts = slices.Delete(f.hosts, 7, 8)
	h := f.add(7, large)
	h.Roster = New(Config{ID: "m0007", Nonce: 99, Large: large}, f.now)
	h.take(h.Start(f.now))
	f.until(t, 9*time.Second, "the restarted member has joined", func() bool { return h.joined > 0 })
}

func TestAMeshThatShrinksIsSmallAgain(t *testing.T) {
	f := meshOf(t, 40, Large{From: 20})
	for _, h := range f.hosts[10:] {
		h.take(h.Gone(f.now))
		h.dead = true
	}
	f.run(5 * time.Second)
	if !f.whole() || f.hosts[0].large {
		t.Errorf("whole: %v, large: %v", f.whole(), f.hosts[0].large)
	}
	beats := f.hosts[0].beats
	if f.run(10 * time.Second); f.hosts[0].beats-beats < 80 {
		t.Errorf("%d heartbeats of 9 members in 10 seconds", f.hosts[0].beats-beats)
	}
}

// Where one machine runs them all, as many commands at once, it has to hear all of that.
func TestManyThatStartAtOnceFloodNobody(t *testing.T) {
	const n = 60
	f := newFleet()
	for i := range n {
		f.add(i, Large{From: -1})
		f.run(25 * time.Millisecond)
	}
	took := f.until(t, 5*time.Second, "all count all", f.whole)
	f.run(time.Second)
	most := 0
	for _, h := range f.hosts {
		most = max(most, h.received)
	}
	t.Logf("all count all after %v; a member has received %d messages", took, most)
	if most > 30*n {
		t.Errorf("a member has received %d messages, %d of each other", most, most/n)
	}
}
