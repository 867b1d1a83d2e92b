package main

import (
	"os"
	"testing"
	"time"
)

// TestMain lets the test's binary be the processes that a scenario starts.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && (os.Args[1] == roleMember || os.Args[1] == roleServer) {
		if err := child(os.Args[1], os.Args[2]); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestAKilledOwnerIsSeenToTheEndAndNoProcessIsLeft(t *testing.T) {
	if testing.Short() {
		t.Skip("six processes for six seconds")
	}
	var fleet *fleet
	s := scenario{"kill-idle", "", func(t *trial) error {
		fleet = t.fleet
		return killIdle(t)
	}}
	r := s.try(t.Context(), options{quick: true, heartbeat: 300 * time.Millisecond})
	if r.Err != "" || r.Reads == 0 || r.Failed > 0 || r.Stale > 0 || r.ReroutedReads == 0 || r.Extra == 0 {
		t.Errorf("%+v", r)
	}
	for _, m := range fleet.members {
		if m.alive() {
			t.Errorf("%s is still there", m.id)
		}
	}
	if fleet.servers[0].alive() {
		t.Error("the server is still there")
	}
}
