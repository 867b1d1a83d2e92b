package mesh_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/testenv"
)

// ways of killing a member, with and without somebody who listens to everything.
var deaths = []struct {
	name      string
	kill      func(*rigMember)
	eavesdrop bool
	slowest   time.Duration // get
}{
	{"closed", func(m *rigMember) { m.nc.Close() }, false, 100 * time.Millisecond}, // NATS says that nobody listens
	{"closed, overheard", func(m *rigMember) { m.nc.Close() }, true, 3 * time.Second},
	{"swallowed", func(m *rigMember) { m.link.Swallow() }, false, 3 * time.Second},
	{"swallowed, overheard", func(m *rigMember) { m.link.Swallow() }, true, 3 * time.Second},
}

func TestAKilledOwnerFailsNoGetAndCostsOneLoadAKey(t *testing.T) {
	for _, d := range deaths {
		t.Run(d.name, func(t *testing.T) {
			virtual(t, 0, func(t *testing.T, r *rig) {
				// Replicas end soon, so that what was loaded in the owner's place must have become owned.
				r.opts = mesh.Options{ReplicaTTL: time.Second}
				if d.eavesdrop {
					r.eavesdrop(func(*nats.Msg) {})
				}
				r.grow(4)
				victim, others := r.all[1], []*rigMember{r.all[0], r.all[2], r.all[3]}
				keys, owned := r.keys(400, victim.ID())
				r.fill(keys, r.all...)
				before := r.loadsOf(keys)
				rs := r.readersOf(keys, others...)
				time.Sleep(200 * time.Millisecond)

				d.kill(victim)

				r.agree(2*rigLease+time.Second, others...)
				time.Sleep(3 * time.Second)
				rs.end(t, d.slowest)
				after := r.loadsOf(keys)
				for _, key := range owned {
					if n := after[key] - before[key]; n > 1 {
						t.Errorf("%s of the dead owner was loaded %d times", key, n)
					}
					delete(after, key)
				}
				for key, n := range after {
					if n > before[key] {
						t.Errorf("%s was loaded again, and its owner lives", key)
					}
				}
			})
		})
	}
}

func TestAnOwnerKilledInTheMiddleOfALoadCostsOneMore(t *testing.T) {
	for _, d := range deaths {
		t.Run(d.name, func(t *testing.T) {
			virtual(t, 0, func(t *testing.T, r *rig) {
				if d.eavesdrop {
					r.eavesdrop(func(*nats.Msg) {})
				}
				r.grow(3)
				victim := r.all[2]
				_, owned := r.keys(100, victim.ID())
				key := owned[0]
				r.origin.Hold()
				var answers []<-chan answer[[]byte]
				for i := range 20 {
					answers = append(answers, get(r.within(20*time.Second), r.all[i%2].cache, key))
				}
				testenv.Eventually(t, time.Second, "the owner loads", func() bool { return r.origin.LoadsOf(key) == 1 })
				time.Sleep(300 * time.Millisecond)

				d.kill(victim)

				killed := time.Now()
				testenv.Eventually(t, 3*time.Second, "another member loads", func() bool { return r.origin.LoadsOf(key) == 2 })
				time.Sleep(2 * rigLease) // nor does anybody lose patience
				r.origin.Release()
				for _, ch := range answers {
					if a := <-ch; a.err != nil || string(a.value) != fmt.Sprint(key, "#2") {
						t.Errorf("%q, %v", a.value, a.err)
					}
				}
				if n := r.origin.LoadsOf(key); n != 2 {
					t.Errorf("%d loads in %v", n, time.Since(killed))
				}
			})
		})
	}
}
