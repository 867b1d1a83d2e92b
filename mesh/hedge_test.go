package mesh_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/testenv"
)

// patient runs f with a rig of n members whose heartbeats are so slow that their silence tells nobody anything.
func patient(t *testing.T, n int, f func(t *testing.T, r *rig)) {
	t.Helper()
	testenv.Bubble(t, func(t *testing.T) {
		r := newRig(t, testenv.InProcess(t))
		r.config.Heartbeat = 5 * time.Second
		for i := range n {
			r.join(fmt.Sprint("m", i))
		}
		r.agree(time.Minute, r.all...)
		f(t, r)
	})
}

// acquaint has each of others ask the owner for something, so that their links know how fast it is.
func (r *rig) acquaint(owner *rigMember, others ...*rigMember) {
	r.t.Helper()
	for i := range 4 {
		for n, m := range others {
			for k := 0; ; k++ {
				key := fmt.Sprint("hello", i, n, k)
				if m.Owner("c", key) == owner.ID() {
					r.readAll([]string{key}, m)
					break
				}
			}
		}
	}
}

func hedges(members ...*rigMember) (n uint64) {
	for _, m := range members {
		n += m.cache.Stats().Hedges
	}
	return n
}

func TestAnOwnerThatDoesNotReactIsGoneAround(t *testing.T) {
	for name, silence := range map[string]func(*testenv.Link){
		"stopped": func(l *testenv.Link) { l.Swallow() },
		"deaf":    func(l *testenv.Link) { l.Swallow(testenv.ToClient) },
		"dumb":    func(l *testenv.Link) { l.Swallow(testenv.ToServer) },
	} {
		t.Run(name, func(t *testing.T) {
			patient(t, 4, func(t *testing.T, r *rig) {
				victim, others := r.all[1], []*rigMember{r.all[0], r.all[2], r.all[3]}
				keys, owned := r.keys(400, victim.ID())
				r.fill(keys, r.all...)
				r.acquaint(victim, others...)
				before := r.loadsOf(keys)

				silence(victim.link)

				read := func(key string, most time.Duration) {
					var reads sync.WaitGroup
					for _, m := range others {
						reads.Go(func() {
							began := time.Now()
							if v, err := m.cache.Get(r.within(10*time.Second), key); err != nil || keyOfValue(v) != key {
								t.Errorf("%s on %s: %q, %v", key, m.ID(), v, err)
							}
							if took := time.Since(began); took > most {
								t.Errorf("%s on %s took %v, more than %v", key, m.ID(), took, most)
							}
						})
					}
					reads.Wait()
				}
				read(owned[0], 300*time.Millisecond)
				// The first of the rest finds it to be silent, and what is asked later goes around it at once, but for
				// one question now and then.
				for _, key := range owned[1:4] {
					read(key, 350*time.Millisecond)
				}
				slow := 0
				for _, key := range owned[4:] {
					began := time.Now()
					read(key, 350*time.Millisecond)
					if time.Since(began) > 0 {
						slow++
					}
					time.Sleep(50 * time.Millisecond)
				}
				if slow > len(owned)/2 {
					t.Errorf("%d of %d reads waited for a member that is known to be silent", slow, len(owned)-4)
				}
				for key, n := range r.loadsOf(owned) {
					if n > before[key]+1 {
						t.Errorf("%s was loaded %d times more", key, n-before[key])
					}
				}
				if len(r.all[0].Members()) != 4 {
					t.Error("somebody has been evicted: this says nothing about hedges")
				}
			})
		})
	}
}

func TestASlowLoadIsNeverHedged(t *testing.T) {
	for name, at := range map[string]time.Duration{
		"not asked for again yet":       500 * time.Millisecond,
		"just before it is asked again": 4990 * time.Millisecond,
	} {
		t.Run(name, func(t *testing.T) {
			patient(t, 3, func(t *testing.T, r *rig) {
				_, owned := r.keys(100, "m2")
				r.acquaint(r.all[2], r.all[:2]...)
				r.origin.SetDelay(15 * time.Second)
				var reads sync.WaitGroup
				for i, key := range owned[:10] {
					for range 4 {
						reads.Go(func() {
							if _, err := r.all[i%2].cache.Get(r.within(time.Minute), key); err != nil {
								t.Error(err)
							}
						})
					}
				}
				time.Sleep(at)
				if n := hedges(r.all...); n != 0 {
					t.Errorf("%d hedges", n)
				}
				// Another question is slow to get there: that is hedged, and no reason to doubt the loads.
				r.all[2].link.Delay(280*time.Millisecond, 0, testenv.ToServer)
				for i := range 2 {
					reads.Go(func() { r.readAll([]string{owned[10+i]}, r.all[i]) })
				}
				reads.Wait()
				for _, key := range owned[:10] {
					if n := r.origin.LoadsOf(key); n != 1 {
						t.Errorf("%s was loaded %d times", key, n)
					}
				}
				if n := hedges(r.all...); n != 2 {
					t.Errorf("%d hedges", n)
				}
			})
		})
	}
}

func TestAnOwnerThatFallsSilentOverALoadIsAskedAgainAndGoneAround(t *testing.T) {
	for name, c := range map[string]struct {
		other bool // it is asked for something else, too
		most  time.Duration
	}{
		"asked once a second":              {false, 1500 * time.Millisecond},
		"asked as soon as it seems silent": {true, 600 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			patient(t, 3, func(t *testing.T, r *rig) {
				_, owned := r.keys(100, "m2")
				r.acquaint(r.all[2], r.all[:2]...)
				r.origin.Hold()
				got := get(r.within(time.Minute), r.all[0].cache, owned[0])
				testenv.Eventually(t, time.Second, "the owner loads", func() bool { return r.origin.LoadsOf(owned[0]) == 1 })
				time.Sleep(3100 * time.Millisecond)
				if n := hedges(r.all...); n != 0 {
					t.Errorf("%d hedges while the owner says that it is at work", n)
				}
				r.all[2].link.Swallow()
				if c.other {
					other := get(r.within(time.Minute), r.all[0].cache, owned[1])
					defer func() { <-other }()
				}
				testenv.Eventually(t, c.most, "another member loads", func() bool { return r.origin.LoadsOf(owned[0]) == 2 })
				r.origin.Release()
				if a := <-got; a.err != nil || string(a.value) != owned[0]+"#2" {
					t.Errorf("%q, %v", a.value, a.err)
				}
			})
		})
	}
}

func TestHedgesOfASlowOwnerAreFew(t *testing.T) {
	patient(t, 3, func(t *testing.T, r *rig) {
		keys, owned := r.keys(2000, "m2")
		r.fill(keys, r.all[2])
		r.acquaint(r.all[2], r.all[:2]...)
		fetches := func() uint64 { return r.all[0].cache.Stats().Fetches }
		begin, round := fetches(), 0
		for fetches()-begin < 1500 {
			// What is asked now is answered just before the owner would count as silent.
			r.all[2].link.Delay(280*time.Millisecond, 0, testenv.ToServer)
			var reads sync.WaitGroup
			for _, key := range owned[:300] {
				reads.Go(func() {
					if _, err := r.all[0].cache.Get(r.within(time.Minute), key); err != nil {
						t.Error(err)
					}
				})
			}
			reads.Wait()
			r.all[2].link.Heal()
			for _, key := range owned[300:500] { // it forgets how slow the owner was
				r.readAll([]string{key}, r.all[0])
			}
			round++
		}
		// Some tens are saved up at the beginning.
		asked, n := fetches()-begin, hedges(r.all[0])
		if n == 0 || n > 32+asked/20 {
			t.Errorf("%d hedges for %d fetches in %d rounds", n, asked, round)
		}
	})
}

func TestWhatWasGivenUpBeforeItsOwnerCouldReadItStartsNoLoad(t *testing.T) {
	for name, away := range map[string]time.Duration{"for a moment": 400 * time.Millisecond, "for long": 4 * time.Second} {
		t.Run(name, func(t *testing.T) {
			patient(t, 3, func(t *testing.T, r *rig) {
				owner, others := r.all[0], r.all[1:] // the eldest: it loads at once
				_, owned := r.keys(1000, owner.ID())
				owned = owned[:100]
				r.acquaint(owner, others...)
				time.Sleep(time.Second)
				before := owner.cache.Stats().Loads

				owner.link.Swallow(testenv.ToClient)
				var reads sync.WaitGroup
				for i, key := range owned {
					reads.Go(func() {
						patience := 100 * time.Millisecond
						if i < 20 {
							patience = time.Minute // others answer
						}
						ctx := r.within(patience)
						if _, err := others[i%2].cache.Get(ctx, key); !errors.Is(err, ctx.Err()) {
							t.Errorf("%s: %v", key, err)
						}
					})
				}
				reads.Wait()
				time.Sleep(away)
				owner.link.Heal()

				time.Sleep(2 * time.Second)
				if n := owner.cache.Stats().Loads - before; n != 0 {
					t.Errorf("%d loads for nobody", n)
				}
				// Nor does anything hold back what is asked now.
				key := owned[99]
				r.readAll([]string{key}, others[0])
				if n := r.origin.LoadsOf(key); n != 1 {
					t.Errorf("%s was loaded %d times", key, n)
				}
			})
		})
	}
}

func TestAnInvalidationDuringAHedgeLetsNoOldValueThrough(t *testing.T) {
	patient(t, 3, func(t *testing.T, r *rig) {
		_, owned := r.keys(100, "m2")
		r.fill(owned, r.all[2])
		r.acquaint(r.all[2], r.all[:2]...)
		for i, key := range owned[:8] {
			reader, other := r.all[i%2], r.all[1-i%2]
			for range 10 { // it is hot, and so is kept wherever it comes
				if _, err := other.cache.Get(r.within(time.Second), key, mesh.CachedOnly()); err != nil {
					t.Fatal(err)
				}
			}
			// The owner hears the question, and its answer is a long time on its way.
			r.all[2].link.Swallow(testenv.ToServer)
			if i%4 < 2 { // the hedge has landed
				if v, err := reader.cache.Get(r.within(5*time.Second), key); err != nil || string(v) != key+"#2" {
					t.Fatalf("%q, %v", v, err)
				}
			} else { // the hedge is at its load
				r.origin.Hold()
				got := get(r.within(time.Minute), reader.cache, key)
				testenv.Eventually(t, 5*time.Second, "the hedge loads", func() bool { return r.origin.LoadsOf(key) == 2 })
				defer func() {
					if a := <-got; a.err != nil {
						t.Error(a.err)
					}
				}()
			}
			var partial *mesh.PartialError
			err := reader.cache.Invalidate(r.within(50*time.Millisecond), key)
			if !errors.As(err, &partial) || !slices.Equal(partial.Members, []string{"m2"}) {
				t.Errorf("got %v, want a PartialError of m2", err)
			}
			next := get(r.within(time.Minute), reader.cache, key) // before the answer comes
			r.all[2].link.Heal()
			time.Sleep(10 * time.Millisecond)
			again := get(r.within(time.Minute), reader.cache, key) // after it
			r.origin.Release()
			for _, ch := range []<-chan answer[[]byte]{next, again} {
				if a := <-ch; a.err != nil || !bytes.HasPrefix(a.value, []byte(key+"#")) || a.value[len(key)+1] < '3' {
					t.Errorf("%s is %q, %v after its invalidation", key, a.value, a.err)
				}
			}
			if e, err := reader.cache.Lookup(r.within(time.Second), key, mesh.CachedOnly()); err == nil && e.Value[len(key)+1] < '3' {
				t.Errorf("%s is %q in %v after its invalidation", key, e.Value, e.Source)
			}
		}
	})
}

func TestAReaderWaitsForTheOneOwnerThereIs(t *testing.T) {
	patient(t, 1, func(t *testing.T, r *rig) {
		nc, _ := r.connect()
		cfg := r.config
		cfg.ID, cfg.Reader = "reader", true
		m, err := mesh.Join(r.within(time.Minute), nc, cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Leave(r.within(time.Minute))
		c, err := mesh.NewCache[[]byte](m, "c", nil, mesh.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 4 {
			key := fmt.Sprint("k", i)
			if v, err := c.Get(r.within(time.Minute), key); err != nil || string(v) != key+"#1" {
				t.Fatalf("%q, %v", v, err)
			}
		}
		r.all[0].link.Swallow()
		var answers []<-chan answer[[]byte]
		for i := range 20 {
			answers = append(answers, get(r.within(time.Minute), c, fmt.Sprint("later", i)))
			time.Sleep(50 * time.Millisecond)
		}
		r.all[0].link.Heal()
		for i, ch := range answers {
			if a := <-ch; a.err != nil || string(a.value) != fmt.Sprintf("later%d#1", i) {
				t.Errorf("%q, %v", a.value, a.err)
			}
		}
		r.all[0].link.Drop(1)
		_, err = c.Get(r.within(time.Minute), "never")
		wantErr(t, err, mesh.ErrNoOwner)
	})
}
