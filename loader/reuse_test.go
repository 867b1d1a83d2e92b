package loader

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"
)

type companion struct{ clears int }

func (c *companion) Clear() { c.clears++ }

func TestAFlightThatAllAreDoneWithServesAgain(t *testing.T) {
	var g Flights[string]
	for range 100 { // a pool may lose what is put there
		f, _ := g.Join("a")
		c := &companion{}
		f.Companion = c
		f.SetPhase(3)
		f.Land("value", nil)
		if v, err := f.Wait(context.Background()); v != "value" || err != nil {
			t.Fatalf("%q, %v", v, err)
		}
		f.Done()
		if c.clears != 0 || f.Key() != "a" {
			t.Fatal("it is cleared while its leader still uses it")
		}
		f.Done()
		if c.clears != 1 {
			t.Fatalf("its companion has been cleared %d times", c.clears)
		}
		again, lead := g.Join("b")
		if again == f {
			if !lead || f.Companion != c || f.Key() != "b" || f.Phase() != 0 || f.Waiters() != 1 || !f.Attached() {
				t.Fatalf("it begins anew as %+v", f)
			}
			return
		}
		again.Land("", nil)
	}
	t.Error("no flight has ever served again")
}

func TestAFlightThatSomebodyStillUsesIsNotUsedAgain(t *testing.T) {
	for name, use := range map[string]func(g *Flights[int], f *Flight[int]){
		"a second waiter is not done": func(g *Flights[int], f *Flight[int]) {
			g.Join("a")
			f.Land(1, nil)
			f.Done()
			f.Done()
		},
		"the leader is not done": func(_ *Flights[int], f *Flight[int]) {
			f.Land(1, nil)
			f.Done()
		},
		"it has not landed": func(_ *Flights[int], f *Flight[int]) {
			f.Done()
			f.Done()
		},
		"who joined on a condition is not done": func(g *Flights[int], f *Flight[int]) {
			g.JoinIf("a", func(*Flight[int]) bool { return true })
			f.Land(1, nil)
			f.Done()
			f.Done()
		},
	} {
		t.Run(name, func(t *testing.T) {
			var g Flights[int]
			f, _ := g.Join("a")
			c := &companion{}
			f.Companion = c
			use(&g, f)
			if c.clears != 0 || f.Key() != "a" {
				t.Errorf("it was cleared: %+v", f)
			}
		})
	}
}

// TestNobodyGetsTheResultOfAnotherKey has flights serve again and again while some
// waiters give up: each result must be that of the key.
func TestNobodyGetsTheResultOfAnotherKey(t *testing.T) {
	var g Flights[string]
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 3000 {
				key := fmt.Sprint(rand.IntN(4))
				ctx, cancel := context.Background(), func() {}
				if rand.IntN(3) == 0 {
					ctx, cancel = context.WithTimeout(ctx, time.Duration(rand.IntN(50))*time.Microsecond)
				}
				f, lead := g.Join(key)
				if lead {
					go func() {
						runtime.Gosched()
						f.Land(key, nil)
						f.Done()
					}()
				}
				if v, err := f.Wait(ctx); err == nil {
					if v != key {
						t.Errorf("%q for %q", v, key)
					}
					f.Done()
				}
				cancel()
			}
		})
	}
	wg.Wait()
}

func TestLandAllKeepsWhatItIsAboutToLandFromServingAgain(t *testing.T) {
	closed := errors.New("closed")
	for range 100 { // a pool may lose what is put there
		var g Flights[string]
		a, _ := g.Join("a")
		b, _ := g.Join("b")
		var c *Flight[string]
		first := func(other *Flight[string]) func(string, error) { // of the two: then the other ends by itself
			return func(string, error) {
				if c == nil {
					c = other
					other.Land("value", nil)
					other.Done()
					other.Done()
					c, _ = g.Join("c")
				}
			}
		}
		a.Then(first(b))
		b.Then(first(a))
		g.LandAll("", closed)
		if c == nil || !c.Land("mine", nil) {
			t.Fatal("a flight that began later was landed, too")
		}
	}
}
