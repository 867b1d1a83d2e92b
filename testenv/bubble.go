package testenv

import (
	"runtime"
	"testing"
	"testing/synctest"
)

// Bubble runs f in virtual time (testing/synctest): sleeps, timeouts and heartbeats take no real time, and time stands
// still while anything computes. Servers are InProcess ones, connections theirs or those of links to them; real
// sockets would stop the clock. Mark no test that uses it parallel. What Bubble runs is not deterministic: keep the
// history of a failing run.
func Bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	// nats.go pools timers in a package variable, and a timer of one bubble is fatal in another. Two collections empty
	// a sync.Pool.
	runtime.GC()
	runtime.GC()
	defer runtime.GC()
	defer runtime.GC()
	synctest.Test(t, f)
}
