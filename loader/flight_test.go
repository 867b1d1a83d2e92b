package loader

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var errDown = errors.New("down")

func TestEveryoneWhoWaitsGetsTheFirstLanding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Flights[int]
		f, lead := g.Join("a")
		if !lead {
			t.Fatal("the first does not lead")
		}
		for range 10 {
			w, lead := g.Join("a")
			if lead || w != f {
				t.Fatal("a second flight")
			}
			go func() {
				if v, err := w.Wait(t.Context()); v != 7 || err != errDown {
					t.Errorf("got %d, %v", v, err)
				}
			}()
		}
		synctest.Wait()
		if !f.Land(7, errDown) || f.Land(8, nil) {
			t.Error("the first landing does not count")
		}
		if v, err := f.Wait(t.Context()); v != 7 || err != errDown {
			t.Errorf("late: %d, %v", v, err)
		}
		if g.Len() != 0 || g.Peek("a") != nil || f.Attached() {
			t.Error("a landed flight can be joined")
		}
	})
}

func TestAWaiterLeavesAtItsOwnDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Flights[int]
		f, _ := g.Join("a")
		g.Join("a")
		why := errors.New("impatient")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, why)
		defer cancel()
		began := time.Now()
		if _, err := f.Wait(ctx); err != why || time.Since(began) != time.Second {
			t.Fatalf("%v after %v", err, time.Since(began))
		}
		if f.Context().Err() != nil || !f.Attached() {
			t.Fatal("one who leaves ends the flight of the other")
		}
		go func() { time.Sleep(time.Minute); f.Land(1, nil) }()
		if v, err := f.Wait(t.Context()); v != 1 || err != nil {
			t.Fatalf("the other got %d, %v", v, err)
		}
	})
}

func TestALandedFlightWinsOverADoneContext(t *testing.T) {
	var g Flights[int]
	f, _ := g.Join("a")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f.Land(1, nil)
	if v, err := f.Wait(ctx); v != 1 || err != nil {
		t.Fatalf("%d, %v", v, err)
	}
}

func TestTheLastWaiterToLeaveCancelsAndDetaches(t *testing.T) {
	done, cancel := context.WithCancel(t.Context())
	cancel()
	for name, leave := range map[string]func(*Flight[int]){
		"Leave": func(f *Flight[int]) { f.Leave() },
		"Wait":  func(f *Flight[int]) { f.Wait(done) },
		"Then":  func(f *Flight[int]) { f.Then(func(int, error) { t.Error("called") })() },
	} {
		t.Run(name, func(t *testing.T) {
			var g Flights[int]
			f, _ := g.Join("a")
			g.Join("a")
			ctx := f.Context()
			leave(f)
			if ctx.Err() != nil || g.Peek("a") != f {
				t.Fatal("gone before the last left")
			}
			leave(f)
			if context.Cause(ctx) != ErrAbandoned || g.Len() != 0 || f.Attached() {
				t.Fatalf("cause %v, %d under way", context.Cause(ctx), g.Len())
			}
			next, lead := g.Join("a")
			if !lead || next == f {
				t.Fatal("an abandoned flight was joined")
			}
			if !f.Land(1, nil) || g.Peek("a") != next {
				t.Fatal("its landing touched the next flight")
			}
		})
	}
}

func TestAContextAskedForLateIsCancelledAlready(t *testing.T) {
	var g Flights[int]
	abandoned, _ := g.Join("a")
	abandoned.Leave()
	if ctx := abandoned.Context(); context.Cause(ctx) != ErrAbandoned {
		t.Errorf("abandoned: %v", context.Cause(ctx))
	}
	landed, _ := g.Join("a")
	landed.Land(1, nil)
	if ctx := landed.Context(); ctx.Err() == nil {
		t.Error("landed: not cancelled")
	}
}

func TestLandingCancelsTheContext(t *testing.T) {
	var g Flights[int]
	f, _ := g.Join("a")
	ctx := f.Context()
	f.Land(1, nil)
	if ctx.Err() == nil || f.Context() != ctx {
		t.Fatal("not cancelled, or another context")
	}
}

func TestAPinnedFlightGoesOnWithoutWaiters(t *testing.T) {
	var g Flights[int]
	f, _ := g.Join("a")
	f.Pin()
	ctx := f.Context()
	f.Leave()
	if ctx.Err() != nil || g.Peek("a") != f {
		t.Fatal("a pinned flight was abandoned")
	}
	if w, lead := g.Join("a"); lead || w != f {
		t.Fatal("a pinned flight was not joined")
	}
	f.Land(1, nil)
	if g.Len() != 0 {
		t.Fatal("it can still be joined")
	}
}

func TestThenIsCalledOnceOnLanding(t *testing.T) {
	var g Flights[int]
	f, _ := g.Join("a")
	var got []int
	leaveFirst := f.Then(func(v int, _ error) { got = append(got, 1, v) })
	g.Join("a")
	leave := f.Then(func(v int, _ error) { got = append(got, 2, v) })
	g.Join("a")
	f.Then(func(v int, _ error) { got = append(got, 3, v) })
	leave()
	leave() // takes nobody else off
	f.Land(9, nil)
	leaveFirst()
	f.Then(func(v int, _ error) { got = append(got, 4, v) })
	want := []int{1, 9, 3, 9, 4, 9}
	if len(got) != len(want) {
		t.Fatalf("calls %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("calls %v, want %v", got, want)
		}
	}
}

func TestALandingMayLandAndJoinOtherFlights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // a deadlock fails the bubble
		var g Flights[int]
		a, _ := g.Join("a")
		b, _ := g.Join("b")
		var again *Flight[int]
		got := 0
		b.Then(func(v int, _ error) { got = v })
		a.Then(func(v int, err error) {
			again, _ = g.Join("a")
			g.Detach("b")
			b.Land(v+1, err)
			a.Land(0, nil)
			g.DetachAll()
		})
		a.Land(1, nil)
		if got != 2 || again == nil || again == a || again.Attached() {
			t.Fatalf("got %d", got)
		}
	})
}

func TestJoinIfJoinsOnlyWhatItIsAskedTo(t *testing.T) {
	const fetching, loading = 1, 2
	var g Flights[int]
	loads := func(f *Flight[int]) bool { return f.Phase() == loading }
	if g.JoinIf("a", loads) != nil {
		t.Fatal("joined what is not there")
	}
	f, _ := g.Join("a")
	f.SetPhase(fetching)
	if g.JoinIf("a", loads) != nil {
		t.Fatal("joined a fetch")
	}
	f.SetPhase(loading)
	if g.JoinIf("a", loads) != f {
		t.Fatal("did not join the load")
	}
	f.Leave()
	if !f.Attached() {
		t.Fatal("the joiner was not counted")
	}
	f.Leave()
	if f.Attached() {
		t.Fatal("counted twice, or the refused were counted")
	}
}

func TestPeekCountsNobody(t *testing.T) {
	var g Flights[int]
	f, _ := g.Join("a")
	if g.Peek("a") != f || g.Peek("b") != nil {
		t.Fatal("Peek sees another flight")
	}
	f.Leave()
	if f.Context().Err() == nil {
		t.Fatal("Peek was counted")
	}
}

func TestReplaceAndDetachLeaveWhoWaitsToBeAnswered(t *testing.T) {
	var g Flights[int]
	old, _ := g.Join("a")
	fresh := g.Replace("a")
	if old.Attached() || !fresh.Attached() || g.Len() != 1 {
		t.Fatal("not replaced")
	}
	if w, lead := g.Join("a"); lead || w != fresh {
		t.Fatal("later callers do not join the new one")
	}
	old.Land(1, nil)
	if g.Peek("a") != fresh {
		t.Fatal("the old landing detached the new flight")
	}
	g.Detach("a")
	g.Detach("nothing")
	third, lead := g.Join("a")
	if !lead {
		t.Fatal("a detached flight was joined")
	}
	other := g.Replace("b")
	g.DetachAll()
	if g.Len() != 0 {
		t.Fatalf("%d after DetachAll", g.Len())
	}
	for i, f := range []*Flight[int]{fresh, third, other} {
		if f.Context().Err() != nil {
			t.Fatalf("flight %d was cancelled", i)
		}
		f.Land(i, nil)
		if v, err := f.Wait(t.Context()); v != i || err != nil {
			t.Fatalf("flight %d got %d, %v", i, v, err)
		}
	}
}

func TestLandAllAnswersEverybodyAndCancelsTheWork(t *testing.T) {
	var g Flights[int]
	over := errors.New("over")
	a, _ := g.Join("a")
	b, _ := g.Join("b")
	ctx := a.Context()
	got := 0
	b.Then(func(v int, err error) {
		if got = v; err != over {
			t.Errorf("b: %v", err)
		}
		if _, lead := g.Join("a"); !lead {
			t.Error("what has landed is joined")
		}
	})
	g.LandAll(7, over)
	if v, err := a.Wait(t.Context()); v != 7 || err != over || got != 7 {
		t.Errorf("%d and %d, %v", v, got, err)
	}
	if ctx.Err() == nil || a.Land(1, nil) {
		t.Error("the work goes on, and counts")
	}
}

func TestADetachedFlightIsStillCancelledByItsLastWaiter(t *testing.T) {
	var g Flights[int]
	f, _ := g.Join("a")
	g.Detach("a")
	next, _ := g.Join("a")
	f.Leave()
	if f.Context().Err() == nil || g.Peek("a") != next || next.Context().Err() != nil {
		t.Fatal("not cancelled, or the next one was touched")
	}
}

func TestJoinWaitLandTakesTwoAllocations(t *testing.T) {
	var g Flights[int]
	ctx := context.Background()
	landed := make(chan struct{})
	flights := make(chan *Flight[int])
	defer close(flights)
	go func() {
		for f := range flights {
			f.Land(1, nil)
			landed <- struct{}{}
		}
	}()
	n := testing.AllocsPerRun(1000, func() {
		f, _ := g.Join("a")
		flights <- f
		f.Wait(ctx)
		<-landed
	})
	if n > 2 {
		t.Fatalf("%v allocations", n)
	}
}

func BenchmarkFlight(b *testing.B) {
	var g Flights[int]
	ctx := context.Background()
	b.Run("JoinLandWait", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			f, _ := g.Join("a")
			f.Land(1, nil)
			f.Wait(ctx)
		}
	})
	b.Run("Do", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			g.Do(ctx, "a", func(context.Context) (int, error) { return 1, nil })
		}
	})
}

func TestWhoWatchesIsToldAndKeepsNothingAlive(t *testing.T) {
	var g Flights[int]
	if g.Watch("a", func(int, error) { t.Error("there was nothing to watch") }) {
		t.Error("a flight that nobody has begun is watched")
	}
	f, _ := g.Join("a")
	told := 0
	if !g.Watch("a", func(v int, err error) {
		if told++; v != 7 || err != nil {
			t.Error(v, err)
		}
	}) || f.Waiters() != 1 {
		t.Error("not watched, or counted as a waiter:", f.Waiters())
	}
	ctx := f.Context()
	f.Leave()
	if ctx.Err() == nil || f.Attached() {
		t.Error("the flight goes on for who only watches")
	}
	if told != 0 || !f.Land(7, nil) || told != 1 {
		t.Error("told", told, "times")
	}
}

func TestWhatThenAskedForIsDoneBeforeWaitersGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 100 {
			var g Flights[int]
			f, _ := g.Join("a")
			var told atomic.Bool
			for range 4 {
				w, _ := g.Join("a")
				go func() {
					if _, err := w.Wait(t.Context()); err != nil || !told.Load() {
						t.Errorf("a waiter goes on before the call is made: %v", err)
					}
				}()
			}
			f.Then(func(int, error) {
				for range 3 {
					runtime.Gosched()
				}
				told.Store(true)
			})
			synctest.Wait() // all sit
			f.Land(7, nil)
			synctest.Wait()
		}
	})
}
