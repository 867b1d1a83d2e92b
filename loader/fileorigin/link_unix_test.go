//go:build unix

package fileorigin

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/loader"
)

func link(t *testing.T, target, name string) {
	t.Helper()
	if err := os.Symlink(target, name); err != nil {
		t.Fatal(err)
	}
}

func TestSymbolicLinksLeadNowhereOutside(t *testing.T) {
	o, dir := open(t, Options{}, map[string]string{"a": "A", "d/b": "B"})
	outside := filepath.Join(dir, "..", "outside")
	write(t, filepath.Join(outside, "secret"), "secret")
	link(t, "../outside/secret", filepath.Join(dir, "relative"))
	link(t, filepath.Join(outside, "secret"), filepath.Join(dir, "absolute"))
	link(t, "../outside", filepath.Join(dir, "directory"))
	link(t, "relative", filepath.Join(dir, "twice"))
	link(t, "../../outside/secret", filepath.Join(dir, "d", "below"))
	link(t, "/etc/passwd", filepath.Join(dir, "passwd"))
	link(t, "/dev/zero", filepath.Join(dir, "zero"))
	for _, key := range []string{"relative", "absolute", "directory/secret", "twice", "d/below", "passwd", "zero"} {
		item, err := load(t, o, key)
		var bad *KeyError
		if item.Value != nil || !errors.As(err, &bad) || !errors.Is(err, loader.ErrNotFound) || !strings.Contains(bad.Rule, "outside") {
			t.Errorf("%s: value %q, error %v", key, item.Value, err)
		}
	}
}

func TestSymbolicLinksInsideAreFollowed(t *testing.T) {
	o, dir := open(t, Options{}, map[string]string{"a": "A", "d/b": "B"})
	link(t, "a", filepath.Join(dir, "file"))
	link(t, "../a", filepath.Join(dir, "d", "up"))
	link(t, "d", filepath.Join(dir, "directory"))
	link(t, "loop", filepath.Join(dir, "loop"))
	link(t, "nowhere", filepath.Join(dir, "dangling"))
	for key, want := range map[string]string{"file": "A", "d/up": "A", "directory/b": "B"} {
		if item, err := load(t, o, key); err != nil || string(item.Value) != want {
			t.Errorf("%s: %q, %v", key, item.Value, err)
		}
	}
	if _, err := load(t, o, "dangling"); !errors.Is(err, loader.ErrNotFound) {
		t.Errorf("dangling: %v", err)
	}
	if _, err := load(t, o, "loop"); err == nil {
		t.Error("a link to itself has a value")
	}
}

func TestPipesAndSocketsAreRefusedWithoutBlocking(t *testing.T) {
	o, dir := open(t, Options{}, nil)
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "sock"))
	if err != nil {
		t.Skip(err) // the path may be too long for a socket
	}
	defer l.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, key := range []string{"pipe", "sock"} {
			if _, err := load(t, o, key); !errors.Is(err, loader.ErrNotFound) || !strings.Contains(err.Error(), "regular") {
				t.Errorf("%s: %v", key, err)
			}
		}
		// A pipe that takes the name between Stat and open.
		if _, _, err := o.readOnce(t.Context(), "pipe"); !errors.Is(err, loader.ErrNotFound) {
			t.Errorf("opened: %v", err)
		}
		if _, err := New(pipe, Options{}); err == nil || !strings.Contains(err.Error(), "not a directory") {
			t.Errorf("New: %v", err)
		}
	}()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Fatal("blocked")
	}
}

func TestAFileThatMayNotBeReadIsAnErrorButNotNotFound(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may read everything")
	}
	o, dir := open(t, Options{}, map[string]string{"a": "A"})
	if err := os.Chmod(filepath.Join(dir, "a"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := load(t, o, "a"); !errors.Is(err, os.ErrPermission) || errors.Is(err, loader.ErrNotFound) {
		t.Fatalf("error %v", err)
	}
}
