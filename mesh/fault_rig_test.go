package mesh_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/testenv"
)

// Times of the members of a rig: the lease is the default of five heartbeats.
const (
	rigBeat  = 300 * time.Millisecond
	rigLease = 5 * rigBeat
)

// rig is a server, an origin, and members that each have a link of their own, so that a test can fail each alone.
type rig struct {
	t      testing.TB
	server *testenv.Server
	origin *testenv.Origin
	log    *logBook
	opts   mesh.Options // of the caches that members open
	config mesh.Config  // of the members, less their IDs
	nats   []nats.Option
	all    []*rigMember
}

// rigMember is a member with one cache, "c".
type rigMember struct {
	*mesh.Mesh
	cache *mesh.Cache[[]byte]
	nc    *nats.Conn
	link  *testenv.Link
	log   *logBook
}

func newRig(t testing.TB, s *testenv.Server) *rig {
	r := &rig{t: t, server: s, origin: testenv.NewOrigin(), log: &logBook{}}
	r.config.Heartbeat = rigBeat
	r.config.Logger = slog.New(slog.NewTextHandler(r.log, nil))
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the members' log:\n%s", r.log)
		}
	})
	return r
}

// virtual runs f in virtual time with a rig of n members, m0, m1...
func virtual(t *testing.T, n int, f func(t *testing.T, r *rig)) {
	t.Helper()
	testenv.Bubble(t, func(t *testing.T) {
		r := newRig(t, testenv.InProcess(t))
		r.grow(n)
		f(t, r)
	})
}

func (r *rig) within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	r.t.Cleanup(cancel)
	return ctx
}

// connect connects over a link of its own.
func (r *rig) connect() (*nats.Conn, *testenv.Link) {
	r.t.Helper()
	l := testenv.NewLink(r.t, r.server)
	return l.Connect(r.t, append([]nats.Option{nats.ReconnectWait(100 * time.Millisecond)}, r.nats...)...), l
}

// tryJoin has a member of that ID join and open the cache. It leaves at the end of the test.
func (r *rig) tryJoin(ctx context.Context, id string) (*rigMember, error) {
	nc, l := r.connect()
	cfg := r.config
	cfg.ID = id
	m, err := mesh.Join(ctx, nc, cfg)
	if err != nil {
		nc.Close()
		return nil, err
	}
	r.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = m.Leave(ctx)
	})
	c, err := mesh.NewCache(m, "c", r.origin, r.opts)
	return &rigMember{m, c, nc, l, r.log}, err
}

func (r *rig) join(id string) *rigMember {
	r.t.Helper()
	m, err := r.tryJoin(r.within(20*time.Second), id)
	if err != nil {
		r.t.Fatalf("join %s: %v", id, err)
	}
	r.all = append(r.all, m)
	return m
}

// grow has n more members join and waits until all agree.
func (r *rig) grow(n int) []*rigMember {
	r.t.Helper()
	for range n {
		r.join(fmt.Sprint("m", len(r.all)))
	}
	r.agree(10*time.Second, r.all...)
	return r.all
}

// agree waits until each of these members counts exactly all of them, and each owns keys for all.
func (r *rig) agree(within time.Duration, members ...*rigMember) {
	r.t.Helper()
	var ids []string
	for _, m := range members {
		ids = append(ids, m.ID())
	}
	slices.Sort(ids)
	testenv.Eventually(r.t, within, fmt.Sprintf("%v agree", ids), func() bool { return agree(ids, members) })
}

func agree(ids []string, members []*rigMember) bool {
	for _, m := range members {
		owners := map[string]bool{}
		for i := range 64 * len(ids) {
			owners[m.Owner("c", fmt.Sprint("probe", i))] = true
		}
		if !slices.Equal(names(m.Mesh), ids) || len(owners) != len(ids) || owners[""] {
			return false
		}
	}
	return true
}

func names(m *mesh.Mesh) (ids []string) {
	for _, x := range m.Members() {
		ids = append(ids, x.ID)
	}
	return ids
}

// keys are n keys, and those of them that a member of that ID owns.
func (r *rig) keys(n int, id string) (all, owned []string) {
	for i := range n {
		key := fmt.Sprint("key", i)
		all = append(all, key)
		if r.all[0].Owner("c", key) == id {
			owned = append(owned, key)
		}
	}
	return all, owned
}

// fill has every key loaded once, through each member in turn.
func (r *rig) fill(keys []string, members ...*rigMember) {
	r.t.Helper()
	for i, m := range members {
		var mine []string
		for k := i; k < len(keys); k += len(members) {
			mine = append(mine, keys[k])
		}
		if _, err := m.cache.GetMany(r.within(20*time.Second), mine); err != nil {
			r.t.Fatalf("fill through %s: %v", m.ID(), err)
		}
	}
}

// readAll reads every key through each of the members.
func (r *rig) readAll(keys []string, members ...*rigMember) {
	r.t.Helper()
	for _, m := range members {
		got, err := m.cache.GetMany(r.within(20*time.Second), keys)
		if err != nil || len(got) != len(keys) {
			r.t.Errorf("%d of %d keys through %s: %v", len(got), len(keys), m.ID(), err)
		}
	}
}

// readers read keys through members all the time, some thousand times a second, until stopped.
type readers struct {
	stop    atomic.Bool
	running sync.WaitGroup

	mu      sync.Mutex // guards the rest
	reads   int
	slowest time.Duration
	failed  map[string]int // by error
}

// readersOf starts two readers on each member. A read that says ErrClosed on a member that left is no failure: its
// reader ends.
func (r *rig) readersOf(keys []string, members ...*rigMember) *readers {
	rs := &readers{failed: map[string]int{}}
	for i, m := range members {
		for k := range 2 {
			rs.running.Go(func() { rs.read(m, keys, (2*i+k)*len(keys)/(2*len(members))) })
		}
	}
	r.t.Cleanup(func() {
		rs.stop.Store(true)
		rs.running.Wait()
	})
	return rs
}

func (rs *readers) read(m *rigMember, keys []string, from int) {
	for i := from; !rs.stop.Load(); i++ {
		key := keys[i%len(keys)]
		ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
		began := time.Now()
		v, err := m.cache.Get(ctx, key)
		took := time.Since(began)
		cancel()
		if errors.Is(err, mesh.ErrClosed) {
			return
		}
		rs.mu.Lock()
		rs.reads++
		rs.slowest = max(rs.slowest, took)
		switch {
		case err != nil:
			rs.failed[err.Error()]++
		case keyOfValue(v) != key:
			rs.failed[fmt.Sprintf("%s has the value %q", key, v)]++
		}
		rs.mu.Unlock()
		if i%4 == 0 {
			time.Sleep(2 * time.Millisecond)
		}
	}
}

// more waits for n more reads.
func (rs *readers) more(t testing.TB, n int) {
	t.Helper()
	reads := func() int {
		rs.mu.Lock()
		defer rs.mu.Unlock()
		return rs.reads
	}
	before := reads()
	testenv.Eventually(t, 20*time.Second, fmt.Sprint(n, " more reads"), func() bool { return reads() >= before+n })
}

// keyOfValue is the key that a value of the origin is of.
func keyOfValue(v []byte) string {
	if i := slices.Index(v, '#'); i >= 0 {
		return string(v[:i])
	}
	return string(v)
}

// end stops the readers and checks that none of their reads failed or took longer than most.
func (rs *readers) end(t testing.TB, most time.Duration) {
	t.Helper()
	rs.stop.Store(true)
	rs.running.Wait()
	rs.mu.Lock()
	defer rs.mu.Unlock()
	t.Logf("%d reads, the slowest took %v", rs.reads, rs.slowest)
	for err, n := range rs.failed {
		t.Errorf("%d reads failed: %s", n, err)
	}
	if rs.slowest > most {
		t.Errorf("a read took %v, more than %v", rs.slowest, most)
	}
	if rs.reads == 0 {
		t.Error("nothing was read")
	}
}

// loadsOf is how often each key has been loaded so far.
func (r *rig) loadsOf(keys []string) map[string]int {
	n := make(map[string]int, len(keys))
	for _, key := range keys {
		n[key] = r.origin.LoadsOf(key)
	}
	return n
}

// eavesdrop subscribes to everything of all meshes, which also keeps NATS from saying that nobody listens.
func (r *rig) eavesdrop(fn nats.MsgHandler) *nats.Conn {
	r.t.Helper()
	nc := r.server.Connect(r.t)
	if _, err := nc.Subscribe("mesh.>", fn); err != nil {
		r.t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		r.t.Fatal(err)
	}
	return nc
}

// count is how many lines of the log hold all of these words.
func (b *logBook) count(words ...string) (n int) {
lines:
	for line := range strings.Lines(b.String()) {
		for _, w := range words {
			if !strings.Contains(line, w) {
				continue lines
			}
		}
		n++
	}
	return n
}
