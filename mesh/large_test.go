package mesh_test

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/cachemesh/cachemesh/hashing"
	"github.com/cachemesh/cachemesh/internal/wire"
	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/testenv"
)

// choir is members that exist in messages alone, and one that is real.
type choir struct {
	m       *mesh.Mesh
	members []*singer
	latest  atomic.Uint64 // the number of the real member's latest heartbeat
	peers   atomic.Int64  // the most members that a heartbeat of it names
}

type singer struct {
	id   string
	subj wire.Subjects
	inc  uint64
	seq  uint64
}

// newChoir has a mesh of n members as the real one sees it.
func newChoir(tb testing.TB, n int) *choir {
	s := testenv.InProcess(tb)
	c := &choir{}
	conn := s.Connect(tb)
	watch, err := conn.Subscribe("mesh.default.>", func(msg *nats.Msg) {
		if body, err := wire.Decode(msg.Data); err == nil {
			if b, ok := body.(*wire.Beat); ok {
				c.latest.Store(max(c.latest.Load(), b.Seq))
				c.peers.Store(max(c.peers.Load(), int64(len(b.Peers))))
			}
		}
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = watch.Unsubscribe() })
	if err := conn.Flush(); err != nil {
		tb.Fatal(err)
	}
	c.m, err = mesh.Join(tb.Context(), s.Connect(tb), mesh.Config{ID: "real", Heartbeat: 100 * time.Millisecond, Lease: time.Minute, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		tb.Fatal(err)
	}
	for i := range n - 1 {
		id := fmt.Sprintf("%020d", i)
		subj, err := wire.NewSubjects("default", id)
		if err != nil {
			tb.Fatal(err)
		}
		c.members = append(c.members, &singer{id: id, subj: subj, inc: 1<<32 + uint64(i)})
	}
	testenv.Eventually(tb, time.Minute, "all are counted", func() bool {
		for _, x := range c.members {
			c.sing(tb, x)
		}
		return len(c.m.Members()) == n
	})
	return c
}

// sing has the real member receive a heartbeat, as in a large mesh, which echoes its latest.
func (c *choir) sing(tb testing.TB, x *singer) {
	x.seq++
	real := wire.Instance{ID: "real", Inc: c.m.Incarnation()}
	data, err := wire.Append(nil, &wire.Beat{Inc: x.inc, Nonce: x.inc, Seq: x.seq, Heartbeat: 27_000_000, Lease: 108_000_000,
		Weight: 1, Version: "v0.1.0", Hash: hashing.Version, Joined: true, For: 60_000_000, Tenure: 60_000_000, Life: 300_000_000,
		Caches:  []wire.CacheState{{Name: "users", Owned: true, For: 59_000_000}},
		Peers:   []wire.PeerState{{Instance: real, Seen: c.latest.Load(), Waits: true, Counts: true}},
		Partial: true, Applied: []wire.Applied{{Source: wire.Instance{ID: x.id, Inc: x.inc}, Upto: 1, Age: 1_000_000}}})
	if err != nil {
		tb.Fatal(err)
	}
	c.m.Hear(&nats.Msg{Subject: x.subj.To("real"), Data: data})
}

func TestAMemberOfALargeMeshAnswersEachHeartbeatToItsSenderAlone(t *testing.T) {
	c := newChoir(t, 150)
	latest := c.latest.Load()
	c.sing(t, c.members[0])
	testenv.Eventually(t, time.Minute, "it speaks to others in turn", func() bool { return c.latest.Load() > latest })
	if most := c.peers.Load(); most > 100 {
		t.Errorf("a heartbeat names %d members", most)
	}
}

// BenchmarkHeartbeatOf1000Members is what a member of a large mesh does for each heartbeat
// that it receives, all but the reading from the socket. It receives 46 a second.
func BenchmarkHeartbeatOf1000Members(b *testing.B) {
	c := newChoir(b, 1000)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		c.sing(b, c.members[i%len(c.members)])
		i++
	}
}
