package testenv

import (
	"testing"
	"time"
)

// Eventually waits until cond holds, asking every few milliseconds on the caller's goroutine. After within it ends the
// test with what, which says what should have become true: "both members count each other".
func Eventually(tb testing.TB, within time.Duration, what string, cond func() bool) {
	tb.Helper()
	for end := time.Now().Add(within); !cond(); {
		if time.Now().After(end) {
			tb.Fatalf("not so after %v: %s", within, what)
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
}
