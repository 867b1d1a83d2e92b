package loader

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestConcurrentCallsAreOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Flights[int]
		var loads, led atomic.Int32
		var wg sync.WaitGroup
		for range 10_000 {
			wg.Go(func() {
				v, shared, err := g.Do(t.Context(), "a", func(context.Context) (int, error) {
					time.Sleep(time.Second)
					return int(loads.Add(1)), nil
				})
				if v != 1 || err != nil {
					t.Errorf("%d, %v", v, err)
				}
				if !shared {
					led.Add(1)
				}
			})
		}
		wg.Wait()
		if loads.Load() != 1 || led.Load() != 1 {
			t.Fatalf("%d loads, led by %d", loads.Load(), led.Load())
		}
	})
}

func TestACancelledStarterPoisonsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type private struct{}
		var g Flights[int]
		load := func(ctx context.Context) (int, error) {
			if ctx.Value(private{}) != nil {
				t.Error("the load sees the starter's values")
			}
			select {
			case <-ctx.Done():
				return 0, context.Cause(ctx)
			case <-time.After(time.Minute):
				return 1, nil
			}
		}
		ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), private{}, 1), time.Second)
		defer cancel()
		go func() {
			if _, _, err := g.Do(ctx, "a", load); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the starter got %v", err)
			}
		}()
		synctest.Wait()
		if v, shared, err := g.Do(t.Context(), "a", load); v != 1 || !shared || err != nil {
			t.Errorf("the other got %d, %v, %v", v, shared, err)
		}
	})
}

func TestALoadThatNobodyWaitsForIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Flights[int]
		began := time.Now()
		var cause error
		var wg sync.WaitGroup
		for i := range 3 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i+1)*time.Second)
				defer cancel()
				g.Do(ctx, "a", func(ctx context.Context) (int, error) {
					<-ctx.Done()
					cause = context.Cause(ctx)
					return 0, cause
				})
			})
		}
		wg.Wait()
		synctest.Wait()
		if cause != ErrAbandoned || time.Since(began) != 3*time.Second {
			t.Fatalf("cancelled by %v after %v", cause, time.Since(began))
		}
	})
}

func TestACallerThatIsDoneStartsNothing(t *testing.T) {
	var g Flights[int]
	why := errors.New("why")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	_, shared, err := g.Do(ctx, "a", func(context.Context) (int, error) { t.Error("loaded"); return 0, nil })
	if err != why || shared || g.Len() != 0 {
		t.Fatalf("%v, %v", shared, err)
	}
}

func TestAPanicIsAnErrorForAllAndTheKeyWorksAfterwards(t *testing.T) {
	for name, fail := range map[string]func(){
		"panic":  func() { panic("boom") },
		"Goexit": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var told []string
				g := Flights[int]{OnPanic: func(key string, value any, stack []byte) {
					told = append(told, fmt.Sprint(key, " ", value, " ", len(stack) > 0))
				}}
				var wg sync.WaitGroup
				for range 20 {
					wg.Go(func() {
						_, _, err := g.Do(t.Context(), "a", func(context.Context) (int, error) {
							time.Sleep(time.Second)
							fail()
							return 1, nil
						})
						var p *PanicError
						if !errors.As(err, &p) || len(p.Stack) == 0 || errors.Is(err, ErrGoexit) != (name == "Goexit") {
							t.Errorf("error %v", err)
						}
					})
				}
				wg.Wait()
				if len(told) != 1 {
					t.Errorf("OnPanic was told %q", told)
				}
				if v, _, err := g.Do(t.Context(), "a", func(context.Context) (int, error) { return 2, nil }); v != 2 || err != nil {
					t.Errorf("afterwards: %d, %v", v, err)
				}
			})
		})
	}
}

func TestKeysDoNotWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Flights[int]
		held, _ := g.Join("held")
		for i := range 500 { // more keys than stripes
			if v, _, err := g.Do(t.Context(), fmt.Sprint(i), func(context.Context) (int, error) { return i, nil }); v != i || err != nil {
				t.Fatalf("%d: %d, %v", i, v, err)
			}
		}
		if g.Len() != 1 {
			t.Fatalf("%d under way", g.Len())
		}
		held.Leave()
	})
}

// Every call must be answered with a value of its own key or with its own
// context's error, whatever the others do.
func TestFlightsUnderStress(t *testing.T) {
	var g Flights[string]
	stop := time.Now().Add(500 * time.Millisecond)
	var wg sync.WaitGroup
	var answered, left atomic.Int64
	for i := range 8 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 1))
			for time.Now().Before(stop) {
				key := fmt.Sprint("k", r.IntN(8))
				switch r.IntN(10) {
				case 0:
					g.Detach(key)
				case 1:
					g.DetachAll()
				case 2:
					f := g.Replace(key)
					go f.Land(key, nil)
					f.Then(func(v string, err error) {
						if v != key || err != nil {
							t.Errorf("%s got %q, %v", key, v, err)
						}
					})
				case 3:
					if f := g.JoinIf(key, (*Flight[string]).Attached); f != nil {
						leave := f.Then(func(v string, err error) {
							if v != key && err == nil {
								t.Errorf("%s got %q", key, v)
							}
						})
						runtime.Gosched()
						leave()
					}
				default:
					ctx, cancel := context.WithTimeout(context.Background(), time.Duration(r.IntN(200))*time.Microsecond)
					pause := time.Duration(r.IntN(200)) * time.Microsecond
					v, _, err := g.Do(ctx, key, func(ctx context.Context) (string, error) {
						select {
						case <-time.After(pause):
						case <-ctx.Done():
							return "", ErrAbandoned
						}
						return key, nil
					})
					switch {
					case err == nil && v == key:
						answered.Add(1)
					case errors.Is(err, context.DeadlineExceeded):
						left.Add(1)
					default:
						t.Errorf("%s got %q, %v", key, v, err)
					}
					cancel()
				}
			}
		})
	}
	wg.Wait()
	for deadline := time.Now().Add(5 * time.Second); g.Len() > 0 && time.Now().Before(deadline); {
		runtime.Gosched()
	}
	if g.Len() != 0 || answered.Load() == 0 || left.Load() == 0 {
		t.Fatalf("%d answered, %d left, %d still under way", answered.Load(), left.Load(), g.Len())
	}
}
