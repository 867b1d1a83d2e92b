package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// cpuOf is the processor time, user and system, that a worker's system has taken
// since it began.
func cpuOf(s *system) (time.Duration, error) {
	if s.cpu != nil {
		return s.cpu()
	}
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, err
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}

// liveHeap is what two collections leave: the second frees what finalizers and
// pools held at the first.
func liveHeap() uint64 {
	runtime.GC()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// residentBytes is the memory that the operating system has given the process;
// 0 where there is no /proc.
func residentBytes() uint64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseUint(fields[1], 10, 64)
	return pages * uint64(os.Getpagesize())
}

// watchRSS looks at residentBytes until it is told to stop, and then gives the most.
func watchRSS() (stop func() uint64) {
	quit, most := make(chan struct{}), make(chan uint64, 1)
	go func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		peak := residentBytes()
		for {
			select {
			case <-tick.C:
				peak = max(peak, residentBytes())
			case <-quit:
				most <- max(peak, residentBytes())
				return
			}
		}
	}()
	return func() uint64 { close(quit); return <-most }
}
