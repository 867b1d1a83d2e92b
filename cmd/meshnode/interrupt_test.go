package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestACommandThatIsInterruptedLeavesSoThatNobodyWaitsForIt(t *testing.T) {
	asked, release := make(chan struct{}, 9), make(chan struct{})
	origin := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked <- struct{}{}
		<-release
	}))
	defer origin.Close()
	defer close(release)
	s := serveUp(t, "--embed", "--embed-addr", "127.0.0.1:0", "--cache", "api="+origin.URL+"/{key}")
	for _, sig := range []os.Signal{syscall.SIGINT, syscall.SIGTERM} {
		get := exec.Command(program, "get", "api", sig.String(), "--nats", s.urlOf(t, "nats"), "--lease", "10m")
		var errs strings.Builder
		get.Stderr = &errs
		if err := get.Start(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-asked:
		case <-time.After(10 * time.Second):
			t.Fatal("the origin is not asked")
		}
		get.Process.Signal(sig)
		get.Wait()
		if code := get.ProcessState.ExitCode(); code != exitInterrupted || errs.String() != "meshnode: interrupted\n" {
			t.Errorf("%v: exit %d, stderr %q", sig, code, errs.String())
		}
	}
	if r := meshnode(t, "members", "--nats", s.urlOf(t, "nats")); r.code != exitOK {
		t.Errorf("the next command: %+v", r)
	}
}

func TestACommandWhoseOutputNobodyReadsLeavesToo(t *testing.T) {
	s := serveUp(t, "--embed", "--embed-addr", "127.0.0.1:0", "--cache", "load=synthetic:1MiB")
	get := exec.Command(program, "get", "load", "x", "--nats", s.urlOf(t, "nats"), "--lease", "10m")
	var errs strings.Builder
	get.Stderr = &errs
	out, err := get.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	out.Close()
	if err := get.Start(); err != nil {
		t.Fatal(err)
	}
	get.Wait()
	if code := get.ProcessState.ExitCode(); code != exitFailed || errs.String() != "" {
		t.Errorf("exit %d, stderr %q", code, errs.String())
	}
	if r := meshnode(t, "members", "--nats", s.urlOf(t, "nats")); r.code != exitOK {
		t.Errorf("the next command: %+v", r)
	}
}
