package mesh_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/mesh"
)

// few fails the test if the origin has loaded more than a percent of n keys for each of so many changes since before.
func (r *rig) few(before, n, changes int) {
	r.t.Helper()
	again := r.origin.Loads() - before
	r.t.Logf("%d of %d keys were loaded again", again, n)
	if again > n*changes/100 {
		r.t.Errorf("%d of %d keys were loaded again, more than %d%%", again, n, changes)
	}
}

func TestAMemberThatJoinsCostsNextToNoLoads(t *testing.T) {
	virtual(t, 2, func(t *testing.T, r *rig) {
		keys, _ := r.keys(5000, "")
		r.fill(keys, r.all...)
		before := r.origin.Loads()
		m := r.join("m2")
		r.readAll(keys[:1000], m) // at once, before the others have learned of its cache
		r.agree(5*time.Second, r.all...)
		r.readAll(keys, r.all...)
		r.few(before, len(keys), 1)
	})
}

func TestAMemberThatLeavesCostsNextToNoLoadsAndNoError(t *testing.T) {
	virtual(t, 4, func(t *testing.T, r *rig) {
		keys, _ := r.keys(5000, "")
		r.fill(keys, r.all...)
		before := r.origin.Loads()
		rs := r.readersOf(keys, r.all...)
		time.Sleep(100 * time.Millisecond)
		if err := r.all[1].Leave(r.within(10 * time.Second)); err != nil {
			t.Error("leave:", err)
		}
		rest := slices.Delete(slices.Clone(r.all), 1, 2)
		r.agree(time.Second, rest...)
		time.Sleep(time.Second)
		r.readAll(keys, rest...)
		rs.end(t, time.Second)
		r.few(before, len(keys), 1)
	})
}

func TestTwoMembersThatJoinAtOnceCostNextToNoLoads(t *testing.T) {
	virtual(t, 3, func(t *testing.T, r *rig) {
		keys, _ := r.keys(5000, "")
		r.fill(keys, r.all...)
		before := r.origin.Loads()
		rs := r.readersOf(keys, r.all...)
		var wg sync.WaitGroup
		joined := make([]*rigMember, 2)
		for i := range joined {
			wg.Go(func() {
				m, err := r.tryJoin(r.within(10*time.Second), fmt.Sprint("new", i))
				if err != nil {
					t.Error(err)
					return
				}
				joined[i] = m
				_, err = m.cache.GetMany(r.within(10*time.Second), keys[i*1000:][:1000])
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if t.Failed() {
			return
		}
		r.all = append(r.all, joined...)
		r.agree(5*time.Second, r.all...)
		r.readAll(keys, r.all...)
		rs.end(t, time.Second)
		r.few(before, len(keys), 2)
	})
}

func TestALeaveAndAJoinAtOnceCostNextToNoLoads(t *testing.T) {
	virtual(t, 4, func(t *testing.T, r *rig) {
		keys, _ := r.keys(5000, "")
		r.fill(keys, r.all...)
		before := r.origin.Loads()
		rs := r.readersOf(keys, r.all...)
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := r.all[2].Leave(r.within(10 * time.Second)); err != nil {
				t.Error("leave:", err)
			}
		})
		var m *rigMember
		wg.Go(func() {
			var err error
			if m, err = r.tryJoin(r.within(10*time.Second), "new"); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		if t.Failed() {
			return
		}
		rest := append(slices.Delete(slices.Clone(r.all), 2, 3), m)
		r.agree(5*time.Second, rest...)
		r.readAll(keys, rest...)
		rs.end(t, time.Second)
		r.few(before, len(keys), 2)
	})
}

func TestALeaverHandsOverWhatItOwnedUntilAnotherCame(t *testing.T) {
	virtual(t, 2, func(t *testing.T, r *rig) {
		keys, owned := r.keys(300, "m1")
		r.fill(keys, r.all...)
		r.join("m2")
		r.agree(5*time.Second, r.all...)
		var moved []string // to m2, which nobody asks
		for _, key := range owned {
			if r.all[1].Owner("c", key) == "m2" {
				moved = append(moved, key)
			}
		}
		for _, key := range moved { // memory of m1 answers: a replica from now on
			if e, err := r.all[1].cache.Lookup(r.within(time.Second), key); err != nil || e.Source == mesh.Loaded {
				t.Fatalf("%v, %v", e.Source, err)
			}
		}
		if err := r.all[1].Leave(r.within(10 * time.Second)); err != nil {
			t.Error(err)
		}
		r.readAll(moved, r.all[0], r.all[2])
		for key, n := range r.loadsOf(moved) {
			if n != 1 {
				t.Errorf("%s was loaded %d times", key, n)
			}
		}
		if len(moved) == 0 {
			t.Error("this shows nothing")
		}
	})
}

func TestARollingRestartFailsNoGet(t *testing.T) {
	virtual(t, 4, func(t *testing.T, r *rig) {
		keys, _ := r.keys(2000, "")
		r.fill(keys, r.all...)
		before := r.origin.Loads()
		outside := r.join("reader") // stays
		r.agree(5*time.Second, r.all...)
		rs := r.readersOf(keys, outside)
		for i := range 4 {
			own := r.readersOf(keys, r.all[i])
			own.more(t, 50)
			id := r.all[i].ID()
			if err := r.all[i].Leave(r.within(10 * time.Second)); err != nil {
				t.Errorf("%s leaves: %v", id, err)
			}
			own.end(t, time.Second)
			m, err := r.tryJoin(r.within(5*time.Second), id)
			if err != nil {
				t.Fatalf("%s comes back: %v", id, err)
			}
			r.all[i] = m
			r.agree(5*time.Second, r.all...)
		}
		r.readAll(keys, r.all...)
		rs.end(t, time.Second)
		r.few(before, len(keys), 0) // whatever was not read in between, and so not taken over
	})
}

func TestSixMembersThatJoinAtOnceAgree(t *testing.T) {
	virtual(t, 0, func(t *testing.T, r *rig) {
		var wg sync.WaitGroup
		joined := make([]*rigMember, 6)
		for i := range joined {
			wg.Go(func() {
				var err error
				if joined[i], err = r.tryJoin(r.within(10*time.Second), fmt.Sprint("m", i)); err != nil {
					t.Error(err)
				}
			})
		}
		began := time.Now()
		wg.Wait()
		if t.Failed() {
			return
		}
		r.all = joined
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("it took %v", took)
		}
		for _, m := range joined {
			if n := len(m.Members()); n != 6 {
				t.Errorf("as Join returned, or soon after, %s counts %d", m.ID(), n)
			}
		}
		r.agree(time.Second, joined...)
		keys, _ := r.keys(1000, "")
		wg.Go(func() { r.readAll(keys, joined...) })
		wg.Wait()
		r.readAll(keys, joined...)
		if n := r.origin.Loads(); n != len(keys) {
			t.Errorf("%d loads of %d keys", n, len(keys))
		}
	})
}
