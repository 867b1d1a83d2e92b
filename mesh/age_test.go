package mesh_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/testenv"
)

// A read that begins after the TTL joins a fetch whose answer, sent before, is still on its way.
func TestNoReadIsAnsweredByAFetchThatItsTTLHasOvertaken(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		r := newRig(t, testenv.InProcess(t))
		r.opts = mesh.Options{TTL: 2 * time.Second, Jitter: -1, ReplicaBytes: -1}
		r.grow(2)
		_, owned := r.keys(40, "m1")
		key := owned[0]
		r.all[0].link.Delay(600*time.Millisecond, 0, testenv.ToClient)
		r.fill(owned[1:4], r.all[0]) // it learns that m1 is far away
		r.fill([]string{key}, r.all[1])
		loaded := time.Now()
		time.Sleep(1900 * time.Millisecond)
		var reads sync.WaitGroup
		reads.Go(func() { _, _ = r.all[0].cache.Get(r.within(10*time.Second), key) })
		time.Sleep(300 * time.Millisecond)
		began := time.Now()
		e, err := r.all[0].cache.Lookup(context.Background(), key)
		if err != nil {
			t.Fatal(err)
		}
		if age := e.Age - time.Since(began); age > 2*time.Second || r.origin.LoadsOf(key) != 2 {
			t.Errorf("%v after its load it is answered with a value %v old (%d loads)", time.Since(loaded), e.Age, r.origin.LoadsOf(key))
		}
		reads.Wait()
	})
}
