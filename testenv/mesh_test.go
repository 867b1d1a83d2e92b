package testenv_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/testenv"
)

// counted tells whether m counts the other.
func counted(m, other *testenv.Member) bool {
	return slices.ContainsFunc(m.Members(), func(o mesh.Member) bool { return o.ID == other.ID() })
}

func TestAMeshInOneCall(t *testing.T) {
	testenv.Leaks(t)
	members := testenv.Mesh(t, 3, testenv.MeshConfig{})
	origin := testenv.NewOrigin()
	caches := testenv.Caches(t, members, "c", origin, mesh.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for _, c := range caches {
		if v, err := c.Get(ctx, "k"); err != nil || string(v) != "k#1" {
			t.Errorf("got %q, %v", v, err)
		}
	}
	if origin.Loads() != 1 {
		t.Errorf("%d loads, want 1", origin.Loads())
	}
}

func TestMembersThatArePausedKilledAndAdded(t *testing.T) {
	testenv.Leaks(t)
	members := testenv.Mesh(t, 3, testenv.MeshConfig{})
	a, b, c := members[0], members[1], members[2]
	b.Pause()
	testenv.Eventually(t, 10*time.Second, "the paused member is no longer counted", func() bool { return !counted(a, b) })
	b.Resume()
	testenv.Eventually(t, 10*time.Second, "it is counted again", func() bool { return testenv.CountEachOther(members) })
	c.Kill()
	c.Kill()
	testenv.Eventually(t, 10*time.Second, "the killed member is no longer counted", func() bool { return testenv.CountEachOther(members[:2]) })
	d := a.Another(t)
	testenv.Eventually(t, 10*time.Second, "the new member is counted", func() bool {
		return testenv.CountEachOther([]*testenv.Member{a, b, d})
	})
	if err := d.Leave(t.Context()); err != nil {
		t.Error(err)
	}
	testenv.Eventually(t, 10*time.Second, "who has left is no longer counted", func() bool { return !counted(a, d) })
}

func TestAMeshOverACluster(t *testing.T) {
	testenv.Leaks(t)
	c := testenv.NewCluster(t, 3)
	testenv.Mesh(t, 3, testenv.MeshConfig{Servers: c.Servers()})
}

func TestAMeshInABubble(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		members := testenv.Mesh(t, 3, testenv.MeshConfig{
			Config:  mesh.Config{Heartbeat: time.Second},
			Servers: []*testenv.Server{testenv.InProcess(t)},
		})
		time.Sleep(10 * time.Minute)
		if !testenv.CountEachOther(members) {
			t.Error("after ten quiet minutes they do not count each other")
		}
	})
}

func ExampleMesh() {
	_ = func(t *testing.T) {
		members := testenv.Mesh(t, 3, testenv.MeshConfig{})
		caches := testenv.Caches(t, members, "users", loader.Of(func(_ context.Context, key string) (string, error) {
			return "user " + key, nil
		}), mesh.Options{})
		members[1].Kill()
		fmt.Println(caches[0].Get(t.Context(), "42"))
	}
}
