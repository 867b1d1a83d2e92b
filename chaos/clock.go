package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// epoch is when the scenario began: now counts from there, in all its processes.
var epoch time.Duration

// now is CLOCK_MONOTONIC: one clock for all processes of a machine, so that what one of them saw before another can be
// said. It stands still while the machine sleeps, not while a process is stopped.
func now() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic("chaos: no monotonic clock: " + err.Error()) // every Linux has one
	}
	return time.Duration(t.Nano()) - epoch
}
