package mesh_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/testenv"
)

func TestMembersAgreeAgainAfterTheServerHasRestarted(t *testing.T) {
	t.Parallel()
	r := newRig(t, testenv.NATS(t))
	r.grow(3)
	keys, _ := r.keys(300, "")
	r.fill(keys, r.all...)
	rs := r.readersOf(keys, r.all...)
	rs.more(t, 1000)
	r.server.Stop()
	rs.more(t, 100) // without NATS
	r.server.Restart(t)
	r.agree(5*time.Second, r.all...)
	rs.more(t, 1000)
	rs.end(t, 5*time.Second)
	r.checkFresh(keys[:20], r.all...)
}

func TestGetsAreAnsweredWithoutNATSAndNothingStaleIsReadAfterwards(t *testing.T) {
	virtual(t, 3, func(t *testing.T, r *rig) {
		keys, _ := r.keys(300, "")
		r.fill(keys, r.all...)
		r.readAll(keys, r.all...)
		rs := r.readersOf(keys, r.all...)
		r.server.Stop()
		stopped := time.Now()
		for _, m := range r.all { // within the lease
			var partial *mesh.PartialError
			began := time.Now()
			err := m.cache.Invalidate(r.within(100*time.Millisecond), keys[0])
			others := slices.DeleteFunc([]string{"m0", "m1", "m2"}, func(id string) bool { return id == m.ID() })
			if !errors.As(err, &partial) || !slices.Equal(partial.Members, others) {
				t.Errorf("%s: %v; want a PartialError of %v", m.ID(), err, others)
			}
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 200*time.Millisecond {
				t.Errorf("%s: %v after %v", m.ID(), err, time.Since(began))
			}
		}
		// With no deadline of its own it waits for the lease, and not for longer.
		if err := r.all[0].cache.Invalidate(r.within(time.Minute), keys[1]); err != nil {
			t.Error("those it counts have confirmed, for it counts nobody:", err)
		}
		if took := time.Since(stopped); took > rigLease+rigBeat {
			t.Errorf("it returned %v after the end", took)
		}
		for _, m := range r.all { // a mesh of its own each
			r.agree(rigLease, m)
		}
		r.readAll(keys, r.all...)
		rs.end(t, 3*time.Second)
		apart := keys[10:60]
		var old []int
		for _, key := range apart {
			old = append(old, r.origin.LoadsOf(key))
		}
		if err := r.all[1].cache.Invalidate(r.within(time.Second), apart...); err != nil {
			t.Error("alone:", err)
		}
		if err := r.all[2].cache.Clear(r.within(time.Second)); err != nil {
			t.Error("alone:", err)
		}

		r.server.Restart(t)
		testenv.Eventually(t, 5*time.Second, "m0 is counted by m1, which invalidated", func() bool {
			return slices.Contains(names(r.all[1].Mesh), "m0")
		})
		for i, key := range apart {
			v, err := r.all[0].cache.Get(r.within(5*time.Second), key)
			var n int
			_, _ = fmt.Sscanf(string(v[len(key)+1:]), "%d", &n)
			if err != nil || n <= old[i] {
				t.Errorf("%s on m0 is %q, %v: it was invalidated after load %d", key, v, err, old[i])
			}
		}
		r.agree(5*time.Second, r.all...)
		r.checkFresh(keys[:10], r.all...)
	})
}

func TestAMemberWhoseConnectionIsClosedIsClosed(t *testing.T) {
	virtual(t, 2, func(t *testing.T, r *rig) {
		_, owned := r.keys(50, "m0")
		r.fill(owned, r.all[1])
		r.origin.Hold()
		waiting := get(r.within(10*time.Second), r.all[1].cache, "cold")
		testenv.Eventually(t, time.Second, "it loads", func() bool { return r.origin.Waiting() == 1 })
		r.all[1].nc.Close()
		_, err := r.all[1].cache.Get(r.within(10*time.Second), owned[0])
		if !errors.Is(err, mesh.ErrClosed) {
			t.Error("a get afterwards:", err)
		}
		if err := r.all[1].cache.Invalidate(r.within(10*time.Second), "x"); !errors.Is(err, mesh.ErrClosed) {
			t.Error("an invalidation afterwards:", err)
		}
		if _, err := mesh.NewCache(r.all[1].Mesh, "other", r.origin, mesh.Options{}); !errors.Is(err, mesh.ErrClosed) {
			t.Error("a cache afterwards:", err)
		}
		if err := r.all[1].Leave(r.within(10 * time.Second)); err != nil {
			t.Error("leave:", err)
		}
		r.origin.Release()
		if a := <-waiting; a.err != nil && !errors.Is(a.err, mesh.ErrClosed) {
			t.Error("who waited:", a.err)
		}
	})
}

// The owner's connection moves: it is gone for milliseconds. What was asked in several messages meanwhile
// is asked once more, and not only what was in the first.
func TestQuestionsInSeveralMessagesOutliveAMomentWithoutTheOwner(t *testing.T) {
	for _, callers := range []int{1, 40, 200} {
		t.Run(fmt.Sprint(callers), func(t *testing.T) {
			virtual(t, 0, func(t *testing.T, r *rig) {
				r.nats = []nats.Option{nats.ReconnectWait(5 * time.Millisecond), nats.ReconnectJitter(0, 0)}
				r.grow(2)
				m0, m1 := r.all[0], r.all[1]
				all, owned := r.keys(1000, "m1")
				r.fill(all, m1)
				time.Sleep(time.Second)
				loads := r.origin.Loads()
				m0.link.Delay(2*time.Millisecond, 0)
				m1.link.Cut()
				time.Sleep(time.Millisecond)
				var waits []<-chan answer[[]byte]
				for i := range callers {
					waits = append(waits, get(r.within(time.Second), m0.cache, owned[i]))
					if i == 0 { // goes alone; those of the next moment are worth a message of their own
						time.Sleep(500 * time.Microsecond)
					}
				}
				time.Sleep(500 * time.Microsecond)
				m1.link.Heal()
				for i, w := range waits {
					if got := <-w; got.err != nil {
						t.Errorf("%s: %v", owned[i], got.err)
					}
				}
				if n := r.origin.Loads() - loads; n > 0 {
					t.Errorf("%d loads of what the owner holds", n)
				}
			})
		})
	}
}
