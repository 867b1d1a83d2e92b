package testenv

import (
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// leakWait is how long goroutines and descriptors may take to go after everything has been told to.
const leakWait = 5 * time.Second

// Leaks fails the test if it leaves a goroutine or a file descriptor behind. Call it first in the test: the check then
// runs after every other cleanup, and waits up to 5 s. Not for parallel tests, whose goroutines it cannot tell apart,
// nor inside Bubble, which does not end before its goroutines have. Descriptors are compared where /proc has them.
func Leaks(tb testing.TB) {
	tb.Helper()
	leaks(tb, leakWait)
}

func leaks(tb testing.TB, wait time.Duration) {
	tb.Helper()
	if l, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
		l.Close() // the first socket of a process makes the runtime open descriptors that it keeps
	}
	before, fds := goroutines(), descriptors()
	tb.Cleanup(func() {
		tb.Helper()
		if tb.Failed() {
			return
		}
		var left, open []string
		for end := time.Now().Add(wait); ; time.Sleep(5 * time.Millisecond) {
			left, open = left[:0], open[:0]
			for number, what := range descriptors() {
				if fds[number] != what {
					open = append(open, number+" "+what)
				}
			}
			for id, stack := range goroutines() {
				if _, old := before[id]; !old {
					left = append(left, stack)
				}
			}
			if len(left)+len(open) == 0 {
				return
			}
			if time.Now().After(end) {
				break
			}
		}
		if len(left) > 0 {
			tb.Errorf("%d goroutines left:\n\n%s", len(left), strings.Join(left, "\n\n"))
		}
		if len(open) > 0 {
			tb.Errorf("%d file descriptors left:\n\n%s", len(open), strings.Join(open, "\n"))
		}
	})
}

// goroutines are the stacks of all goroutines of this process by their IDs, which are never used twice. Those that
// belong to the runtime or to the testing package's own work are left out.
func goroutines() map[string]string {
	buf := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	stacks := map[string]string{}
	for stack := range strings.SplitSeq(string(buf), "\n\n") {
		id, _, _ := strings.Cut(strings.TrimPrefix(stack, "goroutine "), " ")
		if !strings.Contains(stack, "created by testing.") && !strings.Contains(stack, "runtime.ensureSigM") {
			stacks[id] = stack
		}
	}
	return stacks
}

// descriptors are the open file descriptors of this process, by their numbers, with what they stand for; none where
// that is not known. A socket's name is never used twice, so what one test opens does not hide behind what an earlier
// one was still closing.
func descriptors() map[string]string {
	const folder = "/proc/self/fd/"
	names, _ := os.ReadDir(folder)
	open := map[string]string{}
	for _, name := range names {
		// What cannot be read any more has been closed, as the one that read the folder.
		if what, err := os.Readlink(folder + name.Name()); err == nil {
			open[name.Name()] = what
		}
	}
	return open
}
