package mesh_test

import (
	"fmt"
	"testing"
	"time"
)

// Few questions wait for the batch before them; as many as are worth a message do not.
func TestQuestionsGatherUntilTheyAreWorthAMessage(t *testing.T) {
	virtual(t, 2, func(t *testing.T, r *rig) {
		all, owned := r.keys(400, "m1")
		r.fill(all, r.all[1])
		m0 := r.all[0]
		m0.link.Delay(4*time.Millisecond, 0) // each way: less than a batch waits for the one before it
		time.Sleep(time.Second)
		before, asked := m0.Stats().Batches, 0
		var waits []<-chan answer[[]byte]
		for _, step := range []struct {
			more    int
			batches uint64
		}{{1, 1}, {10, 1}, {10, 1}, {10, 2}, {10, 2}} {
			for range step.more {
				waits = append(waits, get(r.within(time.Second), m0.cache, owned[asked]))
				asked++
			}
			time.Sleep(time.Millisecond)
			if n := m0.Stats().Batches - before; n != step.batches {
				t.Errorf("%d batches for %d questions, want %d", n, asked, step.batches)
			}
		}
		for i, w := range waits {
			if got := <-w; got.err != nil || keyOfValue(got.value) != owned[i] {
				t.Errorf("%s: %q, %v", owned[i], got.value, got.err)
			}
		}
		if n := m0.Stats().Batches - before; n != 3 {
			t.Error(fmt.Sprint(n, " batches in all"))
		}
	})
}
