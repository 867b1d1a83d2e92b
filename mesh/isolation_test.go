package mesh_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/cachemesh/cachemesh/mesh"
)

// NATS is there as far as the client knows, for minutes: nothing but the silence tells.
func TestMaxIsolationCountsWhereTheConnectionIsSilentButNotLost(t *testing.T) {
	virtual(t, 0, func(t *testing.T, r *rig) {
		r.opts = mesh.Options{MaxIsolation: 3 * time.Second}
		r.grow(2)
		_, owned := r.keys(50, "m1")
		m1, key := r.all[1], owned[0]
		look := func() mesh.Source {
			t.Helper()
			e, err := m1.cache.Lookup(r.within(20*time.Second), key)
			if err != nil {
				t.Fatal(err)
			}
			return e.Source
		}
		look()
		m1.link.Swallow()
		time.Sleep(2 * time.Second)
		if from := look(); from != mesh.Local {
			t.Errorf("before that time: from %v", from)
		}
		time.Sleep(1500 * time.Millisecond)
		if from := look(); from != mesh.Bypass || m1.nc.Status() != nats.CONNECTED {
			t.Errorf("after that time: from %v, and the connection is %v", from, m1.nc.Status())
		}
		m1.link.Heal()
		r.agree(20*time.Second, r.all...)
		look()
		if from := look(); from != mesh.Local {
			t.Errorf("healed: from %v", from)
		}
	})
}

func TestMaxIsolationLeavesALoneMemberItsMemory(t *testing.T) {
	for name, opts := range map[string][]nats.Option{"echo": nil, "no echo": {nats.NoEcho()}} {
		t.Run(name, func(t *testing.T) {
			virtual(t, 0, func(t *testing.T, r *rig) {
				r.opts, r.nats = mesh.Options{MaxIsolation: 2 * time.Second}, opts
				r.grow(1)
				m := r.all[0]
				for range 20 {
					if _, err := m.cache.Get(r.within(time.Second), "k"); err != nil {
						t.Fatal(err)
					}
					time.Sleep(700 * time.Millisecond)
				}
				if n := r.origin.LoadsOf("k"); n != 1 {
					t.Errorf("loaded %d times", n)
				}
				m.link.Swallow()
				time.Sleep(4 * time.Second)
				if e, err := m.cache.Lookup(r.within(time.Second), "k"); err != nil || e.Source != mesh.Bypass {
					t.Errorf("in a black hole: from %v, %v", e.Source, err)
				}
			})
		})
	}
}

func TestMaxIsolationCountsWhileDisplaced(t *testing.T) {
	virtual(t, 0, func(t *testing.T, r *rig) {
		r.opts = mesh.Options{MaxIsolation: 5 * time.Second}
		r.grow(2)
		younger := displace(t, r)
		look := func() mesh.Source {
			t.Helper()
			e, err := younger.cache.Lookup(r.within(20*time.Second), "k")
			if err != nil {
				t.Fatal(err)
			}
			return e.Source
		}
		look()
		if from := look(); from != mesh.Local {
			t.Errorf("at first: from %v", from)
		}
		time.Sleep(6 * time.Second)
		if from := look(); from != mesh.Bypass {
			t.Errorf("after that time: from %v", from)
		}
	})
}
