package mesh_test

import (
	"slices"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/testenv"
)

func takeOvers(r *rig) (n uint64) {
	for _, m := range r.all {
		n += m.cache.Stats().TakeOvers
	}
	return n
}

func TestAMeshThatStartsAtOnceAsksNobodyForWhatWasNeverHeld(t *testing.T) {
	virtual(t, 3, func(t *testing.T, r *rig) {
		keys, _ := r.keys(300, "")
		for _, key := range keys { // one after the other
			r.readAll([]string{key}, r.all[0])
		}
		if n := takeOvers(r); n == 0 || n > 3 { // of m0 by m1 and m2, and of m1 by m2
			t.Errorf("%d questions to previous owners", n)
		}
		for key, n := range r.loadsOf(keys) {
			if n != 1 {
				t.Errorf("%s was loaded %d times", key, n)
			}
		}
		// Who comes now may be the owner of what the others hold.
		before := takeOvers(r)
		r.grow(1)
		_, owned := r.keys(300, "m3")
		r.readAll(owned, r.all[3])
		if n := takeOvers(r) - before; n < uint64(len(owned)) {
			t.Errorf("%d questions to previous owners for %d keys", n, len(owned))
		}
		for key, n := range r.loadsOf(owned) {
			if n != 1 {
				t.Errorf("%s was loaded %d times", key, n)
			}
		}
	})
}

func TestWhatOthersLoadedInTheOwnersPlaceItTakesOver(t *testing.T) {
	patient(t, 3, func(t *testing.T, r *rig) {
		_, owned := r.keys(100, "m2")
		r.acquaint(r.all[0], r.all[1:]...) // m2 has learned that nobody held anything before it came
		r.acquaint(r.all[2], r.all[:2]...)
		asked := r.all[2].cache.Stats().TakeOvers
		r.readAll(owned[:5], r.all[2])
		if n := r.all[2].cache.Stats().TakeOvers - asked; n != 0 {
			t.Fatalf("%d questions to previous owners: this shows nothing", n)
		}
		r.all[2].link.Swallow()
		r.readAll(owned[5:15], r.all[0])
		r.all[2].link.Heal()
		time.Sleep(2 * time.Second)
		r.readAll(owned[5:15], r.all[2], r.all[1])
		for key, n := range r.loadsOf(owned[5:15]) {
			if n != 1 {
				t.Errorf("%s was loaded %d times", key, n)
			}
		}
	})
}

func TestALeaverIsAskedForWhatItOwnedUntilNow(t *testing.T) {
	virtual(t, 3, func(t *testing.T, r *rig) {
		for i, m := range r.all { // they have learned that nobody held anything before they came
			r.acquaint(m, slices.Delete(slices.Clone(r.all), i, i+1)...)
		}
		_, owned := r.keys(200, "m0")
		r.readAll(owned, r.all[0])
		r.all[0].link.Delay(50*time.Millisecond, 0) // what it offers takes a while
		left := make(chan error)
		go func() { left <- r.all[0].Leave(r.within(20 * time.Second)) }()
		testenv.Eventually(t, time.Second, "m0 is leaving", func() bool { return r.all[1].Owner("c", owned[0]) != "m0" })
		r.readAll(owned, r.all[1:]...)
		if err := <-left; err != nil {
			t.Error(err)
		}
		for key, n := range r.loadsOf(owned) {
			if n != 1 {
				t.Errorf("%s was loaded %d times", key, n)
			}
		}
	})
}
