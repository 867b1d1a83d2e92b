package mesh

import (
	"time"

	"golang.org/x/sys/unix"
)

// boottime reads CLOCK_BOOTTIME, which runs on while the machine is suspended. It
// gives false where that cannot be read, and where package time does not tell the
// machine's time, as in a testing/synctest bubble.
func boottime() (int64, bool) {
	var boot, wall unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot) != nil || unix.ClockGettime(unix.CLOCK_REALTIME, &wall) != nil {
		return 0, false
	}
	if d := time.Since(time.Unix(wall.Unix())); d < -time.Hour || d > time.Hour {
		return 0, false
	}
	return boot.Nano(), true
}

// bootnow is boottime where that has worked before.
func bootnow() int64 {
	var boot unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot)
	return boot.Nano()
}
