package mesh_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/testenv"
)

func TestThirtyJoinsAndLeavesLeaveNothingBehind(t *testing.T) {
	testenv.Leaks(t)
	r := newRig(t, testenv.NATS(t))
	stays := r.join("stays")
	keys, _ := r.keys(100, "")
	nc := r.server.Connect(t) // one for all: a leave leaves the connection open
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	subs := stays.nc.NumSubscriptions()
	for i := range 30 {
		cfg := r.config
		cfg.ID = fmt.Sprint("m", i%7) // some come back
		m, err := mesh.Join(r.within(5*time.Second), nc, cfg)
		if err != nil {
			t.Fatal(err)
		}
		c, err := mesh.NewCache(m, "c", r.origin, mesh.Options{})
		if err != nil {
			t.Fatal(err)
		}
		come := &rigMember{Mesh: m, cache: c}
		r.agree(5*time.Second, stays, come)
		r.readAll(keys, stays, come)
		if err := c.Invalidate(r.within(5*time.Second), keys[i]); err != nil {
			t.Error(err)
		}
		if err := m.Leave(r.within(5 * time.Second)); err != nil {
			t.Error(err)
		}
		if n := nc.NumSubscriptions(); n != 0 {
			t.Fatalf("%d subscriptions are left after leave %d", n, i+1)
		}
	}
	r.agree(5*time.Second, stays)
	if n := stays.nc.NumSubscriptions(); n != subs {
		t.Errorf("the one who stayed has %d subscriptions; it had %d", n, subs)
	}
	testenv.Eventually(t, 5*time.Second, "no link is left to those who left", func() bool { return stays.Links() == 0 })
	if n := r.origin.Loads(); n > len(keys)+30 {
		t.Errorf("%d loads of %d keys and 30 invalidations", n, len(keys))
	}
}

func TestALeaveUnderADoneContextIsHeardByAll(t *testing.T) {
	virtual(t, 3, func(t *testing.T, r *rig) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		began := time.Now()
		if err := r.all[2].Leave(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		r.agree(rigBeat, r.all[:2]...)
		if took := time.Since(began); took > rigBeat {
			t.Errorf("it took %v for the others to know", took)
		}
		if n := r.log.count(" left", "member=m2"); n != 2 {
			t.Errorf("%d logs say that it has left, want those of the two others", n)
		}
		r.all[1].link.Swallow()
		began = time.Now()
		if err := r.all[1].Leave(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("it took %v over a link that swallows", took)
		}
		if err := r.all[1].Leave(context.Background()); err != nil {
			t.Errorf("again: %v", err)
		}
	})
}

func TestLeaveWaitsForTheLoadsUnderWay(t *testing.T) {
	for _, asker := range []string{"the leaver", "another member"} {
		t.Run(asker, func(t *testing.T) {
			virtual(t, 2, func(t *testing.T, r *rig) {
				by, leaver := r.all[0], r.all[1]
				if asker == "the leaver" {
					by = leaver
				}
				_, owned := r.keys(50, leaver.ID())
				key := owned[0]
				r.origin.Hold()
				waiting := get(r.within(20*time.Second), by.cache, key)
				testenv.Eventually(t, time.Second, "it loads", func() bool { return r.origin.Waiting() == 1 })
				left := later(func() (int, error) { return 0, leaver.Leave(r.within(20 * time.Second)) })
				time.Sleep(2 * rigLease)
				select {
				case a := <-left:
					t.Fatalf("Leave returned %v, and a load was under way", a.err)
				default:
				}
				r.origin.Release()
				if a := <-waiting; a.err != nil || string(a.value) != key+"#1" {
					t.Errorf("%q, %v", a.value, a.err)
				}
				if a := <-left; a.err != nil {
					t.Error("leave:", a.err)
				}
				if n := r.origin.LoadsOf(key); n != 1 {
					t.Errorf("%d loads", n)
				}
			})
		})
	}
}

func TestALeaveThatCannotWaitHangsNobody(t *testing.T) {
	virtual(t, 2, func(t *testing.T, r *rig) {
		stays, leaver := r.all[0], r.all[1]
		_, owned := r.keys(50, leaver.ID())
		_, theirs := r.keys(50, stays.ID())
		r.origin.Hold()
		own := get(r.within(20*time.Second), leaver.cache, owned[0])
		asked := get(r.within(20*time.Second), stays.cache, owned[1])
		fetched := get(r.within(20*time.Second), leaver.cache, theirs[0])
		testenv.Eventually(t, time.Second, "three load", func() bool { return r.origin.Waiting() == 3 })
		began := time.Now()
		if err := leaver.Leave(r.within(500 * time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(began); took > 1600*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		if _, err := leaver.cache.Get(r.within(5*time.Second), owned[2]); !errors.Is(err, mesh.ErrClosed) {
			t.Error("a get afterwards:", err)
		}
		if a := <-fetched; !errors.Is(a.err, mesh.ErrClosed) {
			t.Errorf("who waited for another member has %q, %v", a.value, a.err)
		}
		testenv.Eventually(t, 3*time.Second, "the heir loads", func() bool { return r.origin.LoadsOf(owned[1]) == 2 })
		r.origin.Release()
		if a := <-asked; a.err != nil {
			t.Error("who asked the leaver:", a.err)
		}
		if a := <-own; a.err != nil && !errors.Is(a.err, mesh.ErrClosed) {
			t.Error("who waited on the leaver:", a.err)
		}
		r.agree(0, stays)
	})
}

func TestJoinEndsWithItsContext(t *testing.T) {
	for _, c := range []struct {
		name  string
		fail  func(r *rig, l *testenv.Link)
		waits string // the member that it waits for, as far as it can know
	}{
		{"its link swallows", func(_ *rig, l *testenv.Link) { l.Swallow() }, ""},
		{"it is deaf", func(_ *rig, l *testenv.Link) { l.Swallow(testenv.ToClient) }, ""},
		{"a member is deaf", func(r *rig, _ *testenv.Link) { r.all[1].link.Swallow(testenv.ToClient) }, "m1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			virtual(t, 2, func(t *testing.T, r *rig) {
				nc, l := r.connect()
				c.fail(r, l)
				cfg := r.config
				cfg.ID = "new"
				began := time.Now()
				m, err := mesh.Join(r.within(400*time.Millisecond), nc, cfg)
				if m != nil || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("joined %v: %v", m, err)
				}
				if said := strings.Contains(err.Error(), "not counted yet by "+c.waits+": "); said != (c.waits != "") {
					t.Errorf("it waits for %q, and says: %v", c.waits, err)
				}
				if took := time.Since(began); took > 1500*time.Millisecond {
					t.Errorf("it took %v", took)
				}
				if n := nc.NumSubscriptions(); n != 0 {
					t.Errorf("%d subscriptions are left", n)
				}
				l.Heal()
				r.all[1].link.Heal()
				testenv.Eventually(t, 3*rigLease, "nobody counts it", func() bool {
					return !slices.Contains(names(r.all[0].Mesh), "new") && !slices.Contains(names(r.all[1].Mesh), "new")
				})
				r.agree(3*rigLease, r.all...)
				m, err = mesh.Join(r.within(5*time.Second), nc, cfg) // and it may try again
				if err != nil {
					t.Fatal(err)
				}
				_ = m.Leave(r.within(time.Second))
			})
		})
	}
}

func TestJoinWithoutAServerEndsWithItsContext(t *testing.T) {
	virtual(t, 0, func(t *testing.T, r *rig) {
		nc, _ := r.connect()
		r.server.Stop()
		testenv.Eventually(t, 5*time.Second, "the connection is lost", func() bool { return nc.Status() == nats.RECONNECTING })
		began := time.Now()
		m, err := mesh.Join(r.within(400*time.Millisecond), nc, r.config)
		if took := time.Since(began); took > 1500*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		if err == nil { // a mesh of its own, until there is a server
			_ = m.Leave(r.within(time.Second))
		}
		if n := nc.NumSubscriptions(); n != 0 {
			t.Errorf("%d subscriptions are left", n)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if m, err := mesh.Join(ctx, nc, r.config); m != nil || !errors.Is(err, context.Canceled) {
			t.Errorf("joined %v under a done context: %v", m, err)
		}
	})
}
