package mesh

import (
	"math"
	"time"
)

// forever is a moment that never comes.
const forever = math.MaxInt64

// century bounds the ages that others tell, so that no sum of times overflows.
const century = 100 * 365 * 24 * time.Hour

// clock counts nanoseconds since a member began to join, from 1. It is
// monotonic, and nothing of it crosses the wire.
type clock struct {
	base time.Time
	boot int64 // by the machine's clock that runs on while it is suspended; 0: time is told by package time
}

// newClock starts a clock. In fence mode a lease has to end while the machine is
// suspended, which package time does not notice on every system.
func newClock(fenceMode bool) clock {
	c := clock{base: time.Now()}
	if fenceMode {
		c.boot, _ = boottime()
	}
	return c
}

func (c clock) now() int64 {
	if c.boot != 0 {
		return bootnow() - c.boot + 1
	}
	return int64(time.Since(c.base)) + 1
}

// later is t moved by d, where for ever stays for ever.
func later(t int64, d time.Duration) int64 {
	if d == NoExpiry || t == forever || int64(d) > forever-max(t, 0) {
		return forever
	}
	return t + int64(d)
}

// left is the time from now to t; NoExpiry if t never comes.
func left(t, now int64) time.Duration {
	if t == forever {
		return NoExpiry
	}
	return time.Duration(t - now)
}

// micros is d in whole microseconds, the unit of the wire. For ever stays.
func micros(d time.Duration) int64 {
	if d == NoExpiry {
		return math.MaxInt64
	}
	return int64(d / time.Microsecond)
}

// fromMicros is the duration of us microseconds, for ever where it would not fit.
func fromMicros(us int64) time.Duration {
	if us > int64(math.MaxInt64/time.Microsecond) {
		return NoExpiry
	}
	if us < -int64(math.MaxInt64/time.Microsecond) {
		return -NoExpiry
	}
	return time.Duration(us) * time.Microsecond
}
