package mesh

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestInFenceModeTimeRunsOnWhileTheMachineIsSuspended(t *testing.T) {
	c := newClock(true)
	if c.boot == 0 {
		t.Fatal("CLOCK_BOOTTIME is not used")
	}
	at := c.now()
	if at <= 0 || at > int64(time.Second) {
		t.Errorf("the clock begins at %v", time.Duration(at))
	}
	if n := testing.AllocsPerRun(100, func() { c.now() }); n > 0 {
		t.Errorf("reading it allocates %v times", n)
	}
	if c := newClock(false); c.boot != 0 {
		t.Error("bounded mode reads it, too")
	}
}

func TestInABubbleTimeIsThatOfTheBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClock(true)
		time.Sleep(time.Minute)
		if d := time.Duration(c.now()); d < time.Minute || d > time.Minute+time.Second {
			t.Errorf("after a minute the clock shows %v", d)
		}
	})
}

func BenchmarkClock(b *testing.B) {
	for name, fence := range map[string]bool{"bounded": false, "fence": true} {
		b.Run(name, func(b *testing.B) {
			c := newClock(fence)
			for b.Loop() {
				c.now()
			}
		})
	}
}
