package mesh

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/cachemesh/cachemesh/hashing"
	"github.com/cachemesh/cachemesh/internal/roster"
	"github.com/cachemesh/cachemesh/internal/wire"
)

// Version is the version of the library that members announce.
const Version = "0.1.0"

// Mesh is this process's member of a mesh. Its methods may be called by many
// goroutines at once.
type Mesh struct {
	cfg   Config
	nc    *nats.Conn // the caller's: never closed here
	log   *slog.Logger
	clock clock
	subj  wire.Subjects
	host  *host

	// caches that are open, by name. Replaced, never changed: the hot readers
	// take no lock. openMu guards the replacing.
	caches atomic.Pointer[map[string]*core]
	openMu sync.Mutex

	// links to other members, by ID: a map that is never changed, for each fetch looks
	// there. linkMu is held by who puts a new one in its place.
	linkMu sync.Mutex
	links  atomic.Pointer[map[string]*link]

	serving   serving   // questions of others under way
	callers   callers   // reads of callers here under way
	transfers transfers // large values that others are pulling
	backlog   backlog   // questions that may have come late

	answer  wire.Answer // what the subscription to answers decodes into
	ended   []ended     // and the calls that it has ended
	ask     wire.Ask    // what the subscription to questions decodes into
	subs    subscriptions
	dropped droppedLog
	stats   meshCounters
	gateway gateway

	outbox  outbox
	message atomic.Int64 // how much goes into one message
	heard   atomic.Int64 // when anything last came for this member
	ending  atomic.Bool  // Leave has begun: no new calls

	isolation isolation
	standing  chan struct{} // one place: this member has been displaced, or is no longer
	// unallowed is what NATS had last refused, or failed at, before Join.
	unallowed error

	closed  atomic.Bool   // ended: everything returns ErrClosed
	done    chan struct{} // closed with it
	endOnce sync.Once
	left    chan struct{} // closed when Leave is over
}

// Join makes this process a member of the mesh that cfg names, over nc, and
// returns when the other members know it: within a heartbeat when there are
// none. Where members cannot be made to agree it ends with ctx's error, and says who
// does not count this one yet. nc stays the caller's: it is neither closed nor are its
// handlers changed.
//
// It returns an error that names the field if cfg makes no sense, ErrIDTaken if
// a live member uses cfg.ID, one that says so if the server takes no messages of 4 KiB,
// ErrClosed if nc is closed, and one that wraps
// nats.ErrPermissionViolation if nc's user may not use the subjects under
// mesh.NAME.
func Join(ctx context.Context, nc *nats.Conn, cfg Config) (*Mesh, error) {
	if nc == nil {
		return nil, errors.New("mesh: Join needs a NATS connection, not nil")
	}
	if ctx == nil {
		return nil, errNilContext
	}
	type joined struct {
		m   *Mesh
		err error
	}
	over := make(chan joined, 1)
	go func() {
		m, err := join(ctx, nc, cfg)
		over <- joined{m, err}
	}()
	select {
	case j := <-over:
		return j.m, j.err
	case <-ctx.Done():
	}
	bound := time.NewTimer(3 * announceBound) // to say a last word, and why
	defer bound.Stop()
	select {
	case j := <-over:
		return j.m, j.err
	case <-bound.C:
	}
	go func() {
		if j := <-over; j.m != nil {
			j.m.retire()
		}
	}()
	return nil, fmt.Errorf("mesh: join: the NATS connection is stuck: %w", context.Cause(ctx))
}

// join is Join over a connection that is not stuck.
func join(ctx context.Context, nc *nats.Conn, cfg Config) (*Mesh, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if nc.IsClosed() || nc.IsDraining() {
		return nil, fmt.Errorf("%w: the NATS connection is closed", ErrClosed)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("mesh: join %s: %w", cfg.Name, context.Cause(ctx))
	}
	if most := nc.MaxPayload(); most > 0 && most < leastPayload {
		return nil, fmt.Errorf("mesh: join %s: this NATS takes messages of %d bytes, and a mesh needs %d at least: raise its max_payload", cfg.Name, most, leastPayload)
	}
	subj, err := wire.NewSubjects(cfg.Name, cfg.ID)
	if err != nil {
		return nil, fmt.Errorf("mesh: join: %w", err)
	}
	m := &Mesh{
		outbox: outbox{wake: make(chan struct{}, 1)},
		cfg:    cfg, nc: nc, subj: subj, clock: newClock(cfg.Quorum > 0),
		log:  cfg.Logger.With("mesh", cfg.Name, "id", cfg.ID),
		done: make(chan struct{}),
		left: make(chan struct{}),

		standing: make(chan struct{}, 1),
	}
	m.isolation.sign.Store(m.clock.now())
	m.caches.Store(&map[string]*core{})
	m.links.Store(&map[string]*link{})
	m.serving.init()
	m.backlog.m = m
	m.transfers.init()
	m.measure()
	m.adviseOnConnection()
	var b [8]byte
	rand.Read(b[:])
	m.host = newHost(m, binary.LittleEndian.Uint64(b[:]), Version, hashing.Version)
	if err := m.subscribe(ctx); err != nil {
		m.end()
		if nc.IsClosed() || nc.IsDraining() {
			return nil, fmt.Errorf("%w: the NATS connection was closed during Join: %w", ErrClosed, err)
		}
		return nil, fmt.Errorf("mesh: join %s: %w", cfg.Name, err)
	}
	go m.outbox.run(m.done, m.send)
	go m.host.run(m.done)
	go m.watchConnection()
	m.host.step(func(r *roster.Roster, now int64) roster.Effects { return r.Start(now) })
	select {
	case <-m.host.joined:
		if err := m.denied(); err != nil { // to publish: nobody has heard of this member
			m.retire()
			return nil, fmt.Errorf("mesh: join %s: %w", cfg.Name, err)
		}
		go m.watchStanding()
		return m, nil
	case <-m.host.refused:
		m.end()
		return nil, fmt.Errorf("%w: %s", ErrIDTaken, cfg.ID)
	case what := <-m.host.differs:
		m.end()
		return nil, fmt.Errorf("mesh: join %s: Config does not fit: %s", cfg.Name, what)
	case <-ctx.Done():
		err, missing := errors.Join(context.Cause(ctx), m.denied()), m.host.uncounting()
		m.retire()
		if len(missing) > 0 {
			return nil, fmt.Errorf("mesh: join %s: not counted yet by %s: %w", cfg.Name, strings.Join(missing, ", "), err)
		}
		return nil, fmt.Errorf("mesh: join %s: %w", cfg.Name, err)
	case <-m.done:
		return nil, fmt.Errorf("%w: the NATS connection was closed during Join", ErrClosed)
	}
}

// ID is this member's ID.
func (m *Mesh) ID() string { return m.cfg.ID }

// Member is a live member of the mesh.
type Member struct {
	ID      string
	Weight  int
	Reader  bool
	Caches  []string      // that it has opened, by name
	Version string        // of the program's cachemesh
	Age     time.Duration // since it joined
}

// Members are the live members that this one counts, itself included, ordered
// by ID. After the mesh has ended there are none.
func (m *Mesh) Members() []Member {
	if m.closed.Load() {
		return nil
	}
	now := m.clock.now()
	v := m.host.current(now)
	out := make([]Member, 0, len(v.Members))
	for _, r := range v.Members {
		mem := Member{ID: r.ID, Weight: r.Weight, Reader: r.Reader, Version: r.Version}
		if r.Joined {
			mem.Age = max(0, time.Duration(now-r.Since))
		}
		for _, c := range r.Caches {
			mem.Caches = append(mem.Caches, c.Name)
		}
		out = append(out, mem)
	}
	return out
}

// Owner is the ID of the key's owner in the current view, "" if nobody has
// opened the cache.
func (m *Mesh) Owner(cache, key string) string {
	if m.closed.Load() {
		return ""
	}
	return m.host.current(m.clock.now()).share(cache).owners.Owner(key)
}

// cache finds an open cache.
func (m *Mesh) cache(name string) *core { return (*m.caches.Load())[name] }

// apply drops what an invalidation names and detaches its flights (rule R1).
// It is called under the host's lock.
func (m *Mesh) apply(t roster.Target) {
	if c := m.cache(t.Cache); c != nil {
		c.apply(t)
	}
}

// dropAll forgets every value of every cache. It is called under the host's lock.
func (m *Mesh) dropAll() {
	m.stats.drops.Add(1)
	for _, c := range *m.caches.Load() {
		c.dropAll()
	}
}

// viewChanged wakes who waits for the mesh to change. It is called under the
// host's lock and does not block.
func (m *Mesh) viewChanged(v *view) {
	m.stands(v, m.clock.now())
	for _, c := range *m.caches.Load() {
		c.viewChanged(v)
	}
	for _, l := range *m.links.Load() {
		l.nudge()
	}
}

// alive is nil, or ErrClosed.
func (m *Mesh) alive() error {
	if m.closed.Load() || m.ending.Load() {
		return ErrClosed
	}
	if m.connectionClosed() {
		m.end()
		return fmt.Errorf("%w: the NATS connection is closed", ErrClosed)
	}
	return nil
}
