package mesh

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cachemesh/cachemesh/internal/roster"
)

func TestWhatTheRosterTellsIsSentInOrderAndWaitsForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := outbox{wake: make(chan struct{}, 1)}
		done, stuck := make(chan struct{}), make(chan struct{})
		defer close(done)
		var sent []string
		go o.run(done, func(m roster.Message) {
			<-stuck
			sent = append(sent, m.To)
		})
		begin := time.Now()
		o.post([]roster.Message{{To: "a"}, {To: "b"}})
		o.post([]roster.Message{{To: "c"}})
		if waited := time.Since(begin); waited > 0 {
			t.Errorf("waited %v for a connection that is stuck", waited)
		}
		o.drain(time.Second)
		if waited := time.Since(begin); waited != time.Second {
			t.Errorf("drain took %v, of a second at most", waited)
		}
		close(stuck)
		o.drain(time.Hour)
		if want := []string{"a", "b", "c"}; !slices.Equal(sent, want) || time.Since(begin) != time.Second {
			t.Errorf("sent %v, want %v, in %v", sent, want, time.Since(begin))
		}
	})
}

func TestWhatWaitsToBeSentIsBounded(t *testing.T) {
	o := outbox{wake: make(chan struct{}, 1)}
	for range 3 {
		o.post(make([]roster.Message, mostPosted))
	}
	if n := len(o.take()); n != mostPosted {
		t.Errorf("%d messages wait, want %d", n, mostPosted)
	}
}
