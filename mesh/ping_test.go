package mesh_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/cachemesh/cachemesh/testenv"
)

func TestAQuestionLostWithItsOwnerWaitsForNoOtherQuestion(t *testing.T) {
	patient(t, 3, func(t *testing.T, r *rig) {
		victim := r.all[1]
		_, owned := r.keys(100, victim.ID())
		r.acquaint(victim, r.all[0])
		time.Sleep(time.Second)

		victim.link.Swallow(testenv.ToClient)
		began := time.Now()
		ch := get(r.within(20*time.Second), r.all[0].cache, owned[0])
		time.Sleep(5 * time.Millisecond) // the question is on its way
		victim.nc.Close()

		a := <-ch
		if took := time.Since(began); a.err != nil || took > 100*time.Millisecond {
			t.Errorf("%q, %v after %v", a.value, a.err, took)
		}
		if n := r.origin.LoadsOf(owned[0]); n != 1 {
			t.Errorf("%d loads", n)
		}
	})
}

func TestAMemberIsPingedOnceForWhatItDoesNotReactToAndNeverWhileItLoads(t *testing.T) {
	patient(t, 2, func(t *testing.T, r *rig) {
		owner := r.all[1]
		_, owned := r.keys(100, owner.ID())
		r.acquaint(owner, r.all[0])
		var asked atomic.Int64
		r.eavesdrop(func(msg *nats.Msg) {
			if strings.Contains(msg.Subject, ".ask."+owner.ID()+".") {
				asked.Add(1)
			}
		})
		r.origin.Hold()
		ch := get(r.within(20*time.Second), r.all[0].cache, owned[0])
		time.Sleep(700 * time.Millisecond)
		if n := asked.Load(); n != 1 {
			t.Errorf("%d messages to a member that loads", n)
		}
		r.origin.Release()
		if a := <-ch; a.err != nil {
			t.Fatal(a.err)
		}

		asked.Store(0)
		owner.link.Swallow(testenv.ToServer)
		ch = get(r.within(20*time.Second), r.all[0].cache, owned[1])
		time.Sleep(240 * time.Millisecond)
		if n := asked.Load(); n != 2 {
			t.Errorf("%d messages to a member that does not react, in less time than its questions are repeated after", n)
		}
		owner.link.Heal()
		if a := <-ch; a.err != nil {
			t.Error(a.err)
		}
		if n := owner.Stats().Dropped; n != 0 {
			t.Errorf("%d messages made no sense to it", n)
		}
	})
}
