package testenv

import (
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// recorded is a testing.TB that keeps errors and runs its cleanups when told.
type recorded struct {
	testing.TB
	errors   []string
	cleanups []func()
}

func (r *recorded) Helper()          {}
func (r *recorded) Failed() bool     { return false }
func (r *recorded) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }
func (r *recorded) end() {
	for _, f := range r.cleanups {
		f()
	}
}
func (r *recorded) Errorf(format string, _ ...any) { r.errors = append(r.errors, format) }

func TestLeaksFindsGoroutinesAndDescriptors(t *testing.T) {
	tb := &recorded{TB: t}
	leaks(tb, 20*time.Millisecond)
	stop := make(chan struct{})
	defer close(stop)
	go func() { <-stop }()
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tb.end()
	if got := strings.Join(tb.errors, ", "); !strings.Contains(got, "goroutines") || !strings.Contains(got, "descriptors") {
		t.Errorf("reported %q, want both leaks", got)
	}
}

func TestLeaksFindsADescriptorBesideOneThatAnEarlierTestCloses(t *testing.T) {
	earlier, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	tb := &recorded{TB: t}
	leaks(tb, 20*time.Millisecond)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	earlier.Close()
	tb.end()
	if got := strings.Join(tb.errors, ", "); !strings.Contains(got, "descriptors") {
		t.Errorf("reported %q, want the listener", got)
	}
}

func TestLeaksWaitsForWhatIsOnItsWayOut(t *testing.T) {
	tb := &recorded{TB: t}
	leaks(tb, 5*time.Second)
	stop := make(chan struct{})
	go func() { <-stop }()
	time.AfterFunc(30*time.Millisecond, func() { close(stop) })
	tb.end()
	if len(tb.errors) > 0 {
		t.Errorf("reported %q", tb.errors)
	}
}
