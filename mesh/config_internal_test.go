package mesh

import (
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/internal/roster"
)

// Others evict a member after what its roster announces: it must not take itself for counted for longer.
func TestAMemberTrustsItsMemoryNoLongerThanOthersWaitForIt(t *testing.T) {
	for _, lease := range []time.Duration{0, 3 * time.Second, time.Hour} {
		cfg, err := Config{Lease: lease}.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		r := roster.New(roster.Config{ID: "m", Nonce: 1, Heartbeat: cfg.Heartbeat, Lease: cfg.Lease}, 0)
		for _, msg := range r.Start(0).Send {
			if b, is := msg.Body.(*roster.Beat); is && b.Lease != cfg.Lease {
				t.Errorf("Lease %v: %v here, %v to others", lease, cfg.Lease, b.Lease)
			}
		}
	}
}
