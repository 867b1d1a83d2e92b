package loader

import (
	"context"
	"testing"
)

func TestOnAbandonIsCalledWhenTheLastWaiterLeaves(t *testing.T) {
	var g Flights[int]
	f, _ := g.Join("a")
	g.Join("a")
	var called []string
	f.OnAbandon(func() { called = append(called, "earlier") })
	f.OnAbandon(func() {
		called = append(called, "later")
		g.Join("a") // with no lock held
	})
	f.Leave()
	if len(called) != 0 {
		t.Fatal("called while somebody waits")
	}
	f.Leave()
	if len(called) != 1 || called[0] != "later" {
		t.Fatalf("called %q", called)
	}
	f.OnAbandon(func() { called = append(called, "late") })
	if len(called) != 2 {
		t.Fatal("not called at once on an abandoned flight")
	}
}

func TestOnAbandonIsNotCalledAfterTheLandingNorWhilePinned(t *testing.T) {
	var g Flights[int]
	wrong := func() { t.Error("called") }

	landed, _ := g.Join("a")
	landed.OnAbandon(wrong)
	landed.Land(1, nil)
	landed.Leave()
	landed.OnAbandon(wrong)

	pinned, _ := g.Join("b")
	pinned.OnAbandon(wrong)
	pinned.Pin()
	pinned.Leave()

	left, _ := g.Join("c")
	left.Leave()
	left.Land(1, nil)
	left.OnAbandon(wrong)
}

func TestAFlightTellsItsWaitersAndWhetherItIsPinned(t *testing.T) {
	var g Flights[int]
	f, _ := g.Join("a")
	g.Join("a")
	if f.Waiters() != 2 || f.Pinned() {
		t.Fatalf("%d waiters, pinned %v", f.Waiters(), f.Pinned())
	}
	f.Pin()
	f.Leave()
	if f.Waiters() != 1 || !f.Pinned() {
		t.Fatalf("%d waiters, pinned %v", f.Waiters(), f.Pinned())
	}
	leave := f.Then(func(int, error) {})
	leave()
	leave()
	if f.Waiters() != 0 || !f.Attached() {
		t.Fatalf("%d waiters, attached %v", f.Waiters(), f.Attached())
	}
}

func TestAFlightKeepsNothingOfThoseWhoLeft(t *testing.T) {
	var g Flights[int]
	f, _ := g.Join("a")
	f.Pin()
	told := 0
	for i := range 10_000 {
		w, _ := g.Join("a")
		leave := w.Then(func(int, error) { told++ })
		if i%1000 != 0 {
			leave()
			leave()
		}
	}
	if n := len(f.calls); n > 40 {
		t.Errorf("%d calls are kept of 10 that wait", n)
	}
	f.Land(7, nil)
	if told != 10 {
		t.Errorf("%d were told, want 10", told)
	}
}

func TestAFlightThatLingersIsJoinedAfterItWasAbandoned(t *testing.T) {
	var g Flights[int]
	f, _ := g.Join("a")
	f.Linger(nil)
	ctx := f.Context()
	f.Leave()
	if context.Cause(ctx) != ErrAbandoned {
		t.Fatalf("its context: %v", context.Cause(ctx))
	}
	again, lead := g.Join("a")
	if again != f || lead {
		t.Fatal("not joined")
	}
	f.Land(7, nil)
	if v, err := again.Wait(t.Context()); v != 7 || err != nil {
		t.Errorf("%d, %v", v, err)
	}
	if f.Resume() {
		t.Error("resumed after its landing")
	}
}

func TestAFlightThatLingersIsResumedForThoseWhoWait(t *testing.T) {
	var g Flights[int]
	f, _ := g.Join("a")
	f.Linger(nil)
	if f.Resume() {
		t.Fatal("resumed, and it was not abandoned")
	}
	ended := f.Context()
	f.Leave()
	g.Join("a")
	if !f.Resume() {
		t.Fatal("not resumed")
	}
	ctx := f.Context()
	if ended.Err() == nil || ctx.Err() != nil {
		t.Fatalf("contexts: %v, %v", ended.Err(), ctx.Err())
	}
	f.Leave()
	if context.Cause(ctx) != ErrAbandoned {
		t.Errorf("the new context: %v", context.Cause(ctx))
	}
	if _, lead := g.Join("a"); !lead {
		t.Error("joined, and it lingered for what it did before")
	}
}

func TestNobodyJoinsAFlightThatNobodyResumed(t *testing.T) {
	var g Flights[int]
	f, _ := g.Join("a")
	f.Linger(nil)
	f.Leave()
	if f.Resume() {
		t.Fatal("resumed for nobody")
	}
	if _, lead := g.Join("a"); !lead {
		t.Error("joined after that")
	}
}

func TestWhoComesToALingeringFlightAndLeavesIsToldOfEachTime(t *testing.T) {
	var g Flights[int]
	f, _ := g.Join("a")
	idle := 0
	f.Linger(func() { idle++ })
	g.Join("a")
	f.Leave()
	f.Leave() // its context tells that
	for want := range 3 {
		if idle != want {
			t.Fatalf("told %d times, want %d", idle, want)
		}
		g.Join("a")
		g.Join("a")
		f.Leave()
		if idle != want {
			t.Fatal("told while somebody waits")
		}
		f.Leave()
	}
	g.Join("a")
	if !f.Resume() {
		t.Fatal("not resumed")
	}
	f.Leave()
	if idle != 3 {
		t.Errorf("told %d times: it lingers no more", idle)
	}
}
