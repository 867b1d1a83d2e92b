package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/cachemesh/cachemesh/internal/natsd"
	"github.com/cachemesh/cachemesh/mesh"
)

// Node is one running member: its connection, its caches and, if asked for,
// its admin server. Its methods are safe for concurrent use.
type Node struct {
	cfg    Config
	log    *slog.Logger
	server *natsd.Server // nil without Embed
	nc     *nats.Conn
	mesh   *mesh.Mesh
	admin  *admin        // nil without HTTP
	opened []io.Closer   // origins that want to be closed
	memory int64         // what it has added to the process's memory limit, 0 for nothing
	done   chan struct{} // closed by end

	mu      sync.Mutex // guards the fields below
	joined  bool       // mesh and caches are there; set once, after them
	leaving bool       // Leave has begun: no longer ready, and a closed connection is no failure
	err     error      // why done is closed

	leave    sync.Once
	leaveErr error // of the one leave
}

// Start starts a node and returns when it is known to the others of the mesh
// and has opened its caches. ctx bounds the start alone. After an error nothing
// is left running.
//
// Errors are ErrConfig (found before anything is started, but for what only the
// origins and the mesh can judge), ErrNoNATS, ErrAddrInUse, mesh.ErrIDTaken, or what NATS and
// the mesh gave as their reason.
func Start(ctx context.Context, cfg Config) (*Node, error) {
	if ctx == nil {
		return nil, errors.New("node: the context is nil: use context.Background() for none")
	}
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, log: cfg.Logger, done: make(chan struct{})}
	if err := n.start(ctx); err != nil {
		n.abandon()
		return nil, err
	}
	return n, nil
}

func (n *Node) start(ctx context.Context) (err error) {
	// First what can fail without anybody else noticing. Probes are answered
	// from here on: a join may have to wait.
	if n.cfg.HTTP != "" {
		if n.admin, err = startAdmin(n); err != nil {
			return err
		}
	}
	natsURL := n.cfg.NATS
	if n.cfg.Embed {
		if n.server, err = startEmbedded(n.cfg); err != nil {
			return err
		}
		natsURL = n.server.URL()
	}
	closed := func() { n.end(ErrDisconnected) }
	if n.nc, err = connect(ctx, n.cfg, natsURL, closed); err != nil {
		return err
	}
	env := originEnv{nc: n.nc}
	loaders, err := n.openOrigins(env)
	if err != nil {
		return err
	}
	n.limitMemory()
	n.mesh, err = mesh.Join(ctx, n.nc, mesh.Config{
		Name:      n.cfg.Mesh,
		ID:        n.cfg.ID,
		Weight:    n.cfg.Weight,
		Reader:    n.cfg.Reader,
		Quorum:    n.cfg.Quorum,
		Heartbeat: n.cfg.Heartbeat,
		Lease:     n.cfg.Lease,
		Logger:    n.log,
	})
	if err != nil {
		return fmt.Errorf("join mesh %q: %w", n.cfg.Mesh, err)
	}
	for i, spec := range n.cfg.Caches {
		_, err := mesh.NewCache(n.mesh, spec.Name, loaders[i], spec.Options)
		if err != nil {
			if !errors.Is(err, mesh.ErrClosed) {
				return configErrorf("cache %q: %v", spec.Name, err)
			}
			return fmt.Errorf("cache %q: %w", spec.Name, err)
		}
	}
	n.mu.Lock()
	n.joined = true
	n.mu.Unlock()
	return nil
}

// stats is the mesh's, if it has been joined.
func (n *Node) stats() (s mesh.Stats, ok bool) {
	n.mu.Lock()
	joined := n.joined
	n.mu.Unlock()
	if joined {
		s = n.mesh.Stats()
	}
	return s, joined
}

// URL is where other processes reach the NATS that the node uses: the embedded
// server's, or the one it connected to. It shows no password.
func (n *Node) URL() string {
	if n.server != nil {
		return n.server.URL()
	}
	return redacted(n.cfg.NATS)
}

// ID of the member.
func (n *Node) ID() string { return n.mesh.ID() }

// Mesh is the member, for opening more caches and for looking at the others.
// Leave ends it: callers do not call its Leave.
func (n *Node) Mesh() *mesh.Mesh { return n.mesh }

// Conn is the connection to NATS. It belongs to the node, and is closed by Leave.
func (n *Node) Conn() *nats.Conn { return n.nc }

// HTTPAddr is the address of the admin server, "" without one.
func (n *Node) HTTPAddr() string {
	if n.admin == nil {
		return ""
	}
	return n.admin.addr()
}

// Ready reports why the node does not serve now: it has not joined yet, is
// leaving, is cut off from NATS, or another live member has its ID. nil: it serves.
func (n *Node) Ready() error {
	n.mu.Lock()
	joined, leaving, err := n.joined, n.leaving, n.err
	n.mu.Unlock()
	switch {
	case !joined:
		return errors.New("joining")
	case leaving:
		return errors.New("leaving")
	case err != nil:
		return err
	case !n.nc.IsConnected():
		return errors.New("not connected to NATS")
	case n.mesh.Stats().Displaced:
		return fmt.Errorf("displaced: another live member has the ID %s", n.ID())
	}
	return nil
}

// Done is closed when the node has ended: because it has left, or because it
// cannot go on. Err tells which.
func (n *Node) Done() <-chan struct{} { return n.done }

// Err is why Done is closed: nil while it is open and after Leave,
// ErrDisconnected when the connection was closed for good.
func (n *Node) Err() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.err
}

// Leave ends the node in good order: it stops being ready, announces that it
// leaves and lets its heirs take over, closes the connection, the admin server
// and last the embedded NATS, for others may be leaving through it. Under a
// done ctx it still announces, within a second. Later calls wait for the first
// one and return what it did.
func (n *Node) Leave(ctx context.Context) error {
	n.leave.Do(func() {
		n.mu.Lock()
		n.leaving = true
		n.mu.Unlock()
		n.leaveErr = n.mesh.Leave(ctx)
		if errors.Is(n.leaveErr, mesh.ErrClosed) {
			n.leaveErr = nil // ended already
		}
		n.stop()
		n.end(nil)
	})
	return n.leaveErr
}

// abandon takes down what a failed start left.
func (n *Node) abandon() {
	n.mu.Lock()
	n.leaving = true
	n.mu.Unlock()
	if n.mesh != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		n.mesh.Leave(ctx)
	}
	n.stop()
}

// stop closes everything but the mesh, the servers last, and gives back the
// memory limit.
func (n *Node) stop() {
	if n.nc != nil {
		n.nc.Close()
	}
	for _, origin := range n.opened {
		if err := origin.Close(); err != nil {
			n.log.Warn("closing an origin", "error", err)
		}
	}
	if n.admin != nil {
		n.admin.close()
	}
	if n.server != nil {
		n.server.Shutdown()
	}
	n.restoreMemory()
}

// end closes done, once, with its reason.
func (n *Node) end(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err != nil && n.leaving {
		return // Leave closes the connection itself
	}
	select {
	case <-n.done:
	default:
		n.err = err
		close(n.done)
	}
}
