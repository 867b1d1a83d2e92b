package mesh_test

import (
	"context"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/loader"
)

func TestWhoAsksForAnIncarnationThatIsGoneLearnsThatAtOnce(t *testing.T) {
	virtual(t, 2, func(t *testing.T, r *rig) {
		_, owned := r.keys(60, "m1")
		r.fill(owned[:1], r.all[1])
		r.all[0].MistakeIncarnation("m1")
		began := time.Now()
		if _, err := r.all[0].cache.Get(r.within(20*time.Second), owned[0]); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 100*time.Millisecond {
			t.Errorf("it took %v", took)
		}
	})
}

func TestNobodyIsToldOfALoadThatNeverBegins(t *testing.T) {
	virtual(t, 2, func(t *testing.T, r *rig) {
		all, _ := r.keys(3000, "m0")
		before := map[string]string{}
		for _, key := range all {
			before[key] = r.all[0].Owner("c", key)
		}
		r.fill(all[2990:], r.all...)
		r.grow(1)
		m0, m1, m2 := r.all[0], r.all[1], r.all[2]
		key := ""
		for _, k := range all[:2990] {
			if before[k] == "m1" && m0.Owner("c", k) == "m2" {
				key = k
				break
			}
		}
		m1.link.Delay(300*time.Millisecond, 0) // m2 asks it first
		ctx, cancel := context.WithTimeout(context.Background(), 150*time.Millisecond)
		defer cancel()
		if _, err := m0.cache.Get(ctx, key); err == nil || m2.cache.Stats().TakeOvers == 0 {
			t.Fatalf("%v, %d questions to previous owners: this shows nothing", err, m2.cache.Stats().TakeOvers)
		}
		set := later(func() (int, error) {
			return 0, m2.cache.Set(r.within(20*time.Second), key, loader.Item[[]byte]{Value: []byte(key)})
		})
		if a := <-set; a.err != nil {
			t.Error(a.err)
		}
		time.Sleep(8 * time.Second)
		if n := m2.cache.WaitToBeTold(); n != 0 {
			t.Errorf("%d loads wait to be told of", n)
		}
	})
}
