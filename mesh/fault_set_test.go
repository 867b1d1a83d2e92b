package mesh_test

import (
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/testenv"
)

// A Set that asks the owner for its version first takes a while until it invalidates.
// What is invalidated in between has overtaken the value that the caller brought.
func TestASetThatAnInvalidationOvertakesKeepsNothing(t *testing.T) {
	virtual(t, 2, func(t *testing.T, r *rig) {
		setter, other := r.all[0], r.all[1]
		key := ""
		for _, k := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
			if setter.Owner("c", k) == other.ID() {
				key = k
			}
		}
		ctx := r.within(10 * time.Second)
		setter.link.Delay(100*time.Millisecond, 0, testenv.ToServer)
		set := make(chan error, 1)
		go func() { set <- setter.cache.Set(ctx, key, loader.Item[[]byte]{Value: []byte("old"), Version: 1}) }()
		time.Sleep(20 * time.Millisecond) // of virtual time: the question for the version is on its way
		if err := other.cache.Invalidate(ctx, key); err != nil {
			t.Fatal(err)
		}
		if err := <-set; err != nil {
			t.Fatal(err)
		}
		setter.link.Heal()
		for _, m := range r.all {
			if got, err := m.cache.Get(ctx, key); err != nil || string(got) == "old" {
				t.Errorf("%s reads %q, %v: what was Set before the invalidation", m.ID(), got, err)
			}
		}
	})
}
