package testenv

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
)

const (
	joinWait  = 20 * time.Second // for a mesh to come together on a busy machine
	leaveWait = time.Second      // at the end of a test, for each member
)

// MeshConfig says what mesh to make. The zero value works.
type MeshConfig struct {
	// Config is what the members join with. Its ID must be empty. Heartbeat is 100ms by default, and Logger discards.
	mesh.Config
	// Servers is where the members connect to, one after the other. Default: one NATS server of their own.
	Servers []*Server
	// Conn are options for the members' connections.
	Conn []nats.Option
}

// Member is one member of a mesh, on a connection and a link of its own. It leaves at the end of the test.
type Member struct {
	*mesh.Mesh
	NC   *nats.Conn
	Link *Link

	server *Server
	config MeshConfig
}

// Mesh makes a mesh of n members in this process and returns when they all count each other.
func Mesh(tb testing.TB, n int, config MeshConfig) []*Member {
	tb.Helper()
	if config.ID != "" {
		tb.Fatalf("testenv: MeshConfig.ID is %q: the members need different ones, leave it empty", config.ID)
	}
	if config.Heartbeat == 0 {
		config.Heartbeat = 100 * time.Millisecond
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	if len(config.Servers) == 0 {
		config.Servers = []*Server{NATS(tb)}
	}
	members := make([]*Member, n)
	errs := make([]error, n)
	for i := range members {
		members[i] = newMember(tb, config.Servers[i%len(config.Servers)], config)
	}
	var joins sync.WaitGroup
	for i, m := range members {
		joins.Go(func() { errs[i] = m.join() })
	}
	joins.Wait()
	for i, err := range errs {
		if err != nil {
			tb.Fatalf("testenv: member %d of %d: %v", i+1, n, err)
		}
	}
	Eventually(tb, joinWait, fmt.Sprintf("all %d members count each other", n), func() bool { return CountEachOther(members) })
	return members
}

// newMember makes what a member joins through.
func newMember(tb testing.TB, s *Server, config MeshConfig) *Member {
	tb.Helper()
	m := &Member{server: s, config: config, Link: NewLink(tb, s)}
	m.NC = m.Link.Connect(tb, config.Conn...)
	tb.Cleanup(func() {
		if m.Mesh == nil {
			return
		}
		m.Link.Heal() // what was paused or cut leaves in good order
		ctx, cancel := context.WithTimeout(context.Background(), leaveWait)
		defer cancel()
		_ = m.Leave(ctx) // fails where the test has stopped its server
	})
	return m
}

func (m *Member) join() (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), joinWait)
	defer cancel()
	m.Mesh, err = mesh.Join(ctx, m.NC, m.config.Config)
	return err
}

// Another joins one more member to m's mesh, by the same server, and returns when Join has. It opens no caches.
func (m *Member) Another(tb testing.TB) *Member {
	tb.Helper()
	other := newMember(tb, m.server, m.config)
	if err := other.join(); err != nil {
		tb.Fatalf("testenv: another member: %v", err)
	}
	return other
}

// Kill ends the member as a crash would: its connection breaks without a word, and it never comes back. What the
// process would lose is still there, but hears nothing. Again: nothing happens.
func (m *Member) Kill() {
	m.Link.Cut()
	m.NC.Close()
}

// Pause makes the member unreachable and tells nobody, as a stopped process or a lost route does, until Resume. The
// member itself goes on, unlike a stopped process.
func (m *Member) Pause() { m.Link.Swallow() }

// Resume ends Pause and any other fault of the member's link.
func (m *Member) Resume() { m.Link.Heal() }

// CountEachOther tells whether each of the members counts exactly these.
func CountEachOther(members []*Member) bool {
	want := make([]string, len(members))
	for i, m := range members {
		want[i] = m.ID()
	}
	slices.Sort(want)
	for _, m := range members {
		var got []string
		for _, o := range m.Members() {
			got = append(got, o.ID)
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			return false
		}
	}
	return true
}

// Caches opens the cache on each of the members and returns, in their order, when each knows that all have it.
func Caches[V any](tb testing.TB, members []*Member, name string, from loader.Loader[V], opts mesh.Options) []*mesh.Cache[V] {
	tb.Helper()
	return CachesFrom(tb, members, name, func(*Member) loader.Loader[V] { return from }, opts)
}

// CachesFrom is Caches with a loader for each member.
func CachesFrom[V any](tb testing.TB, members []*Member, name string, from func(*Member) loader.Loader[V], opts mesh.Options) []*mesh.Cache[V] {
	tb.Helper()
	caches := make([]*mesh.Cache[V], len(members))
	for i, m := range members {
		c, err := mesh.NewCache(m.Mesh, name, from(m), opts)
		if err != nil {
			tb.Fatalf("testenv: cache %q on member %d of %d: %v", name, i+1, len(members), err)
		}
		caches[i] = c
	}
	Eventually(tb, joinWait, fmt.Sprintf("all %d members know that all have the cache %q", len(members), name), func() bool {
		for _, m := range members {
			open := 0
			for _, o := range m.Members() {
				if slices.Contains(o.Caches, name) {
					open++
				}
			}
			if open < len(members) {
				return false
			}
		}
		return true
	})
	return caches
}
