package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/node"
)

// visitorHeartbeat is short, because Join takes a few of them and the visit of
// a command is over in a moment; but many commands may run at once. Where the lease of
// the mesh is short it is less, down to leastHeartbeat.
const (
	visitorHeartbeat = 500 * time.Millisecond
	leastHeartbeat   = 250 * time.Millisecond
)

// leaveWait bounds the leave of a command that has its answer already.
const leaveWait = 2 * time.Second

// connectFlags are the flags of every command that reaches a mesh.
type connectFlags struct {
	nats     string
	fallback string // for nats: $NATS_URL. Never shown as a default, for it may hold a password
	creds    string
	mesh     string
	quorum   int
	lease    time.Duration
}

func (f *connectFlags) register(cmd *cobra.Command, s streams) {
	f.fallback = s.env("NATS_URL")
	flags := cmd.Flags()
	flags.StringVar(&f.nats, "nats", "", "`URL` of NATS (default $NATS_URL, else "+nats.DefaultURL+")")
	flags.StringVar(&f.creds, "creds", "", "NATS credentials `file`")
	flags.StringVar(&f.mesh, "mesh", mesh.DefaultName, "`name` of the mesh")
	flags.IntVar(&f.quorum, "quorum", 0, "members that must be heard to use memory, the same for the whole mesh; 0: no fencing")
	flags.DurationVar(&f.lease, "lease", 0, "silence after which others give the member up (default 5 heartbeats); with --quorum the same for the whole mesh")
}

// url is where to connect to; "" for the default.
func (f *connectFlags) url() string {
	if f.nats != "" {
		return f.nats
	}
	return f.fallback
}

// visitorLease is the lease of a visitor: where members must agree on one, that of the
// members is five of their heartbeats unless they were told otherwise.
func (f *connectFlags) visitorLease() time.Duration {
	if f.lease == 0 && f.quorum > 0 {
		return 5 * mesh.DefaultHeartbeat
	}
	return f.lease
}

func (f *connectFlags) visitorHeartbeat() time.Duration {
	if lease := f.visitorLease(); lease > 0 {
		return min(visitorHeartbeat, max(leastHeartbeat, lease/3))
	}
	return visitorHeartbeat
}

// visitor is a command's short stay in a mesh, as a reader: it owns nothing,
// so that nothing moves when it comes and goes.
type visitor struct {
	*node.Node
	mesh  string // its name
	lease time.Duration
}

// visit joins, runs do and leaves. timeout bounds all but the leave.
func visit(ctx context.Context, f connectFlags, timeout time.Duration, do func(context.Context, visitor) error) error {
	if timeout <= 0 {
		return usagef("--timeout %v: it must be above 0", timeout)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer within %v (see --timeout)", timeout))
	defer cancel()
	// Who went without a word would be waited for, for a lease.
	ctx, release := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer release()
	v, err := enter(ctx, f)
	if err == nil {
		defer leaveSoon(v.Node)
		err = do(ctx, v)
	}
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		return errInterrupted
	}
	// The mesh says that the deadline passed, the user set a timeout.
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil {
		return fmt.Errorf("%w: %v", context.Cause(ctx), err)
	}
	return err
}

// enter joins. ctx bounds that alone.
func enter(ctx context.Context, f connectFlags) (visitor, error) {
	n, err := node.Start(ctx, node.Config{
		NATS:      f.url(),
		Creds:     f.creds,
		Mesh:      f.mesh,
		Quorum:    f.quorum,
		Lease:     f.visitorLease(),
		ID:        visitorID(),
		Reader:    true,
		Heartbeat: f.visitorHeartbeat(),
		// The log of a visit would tell of the visitor alone.
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return visitor{}, withHint(err)
	}
	if !n.Conn().IsConnected() { // who is cut off while it joins takes itself for the only one
		leaveSoon(n)
		return visitor{}, fmt.Errorf("the connection to NATS at %s was lost", n.URL())
	}
	return visitor{n, f.mesh, f.visitorLease()}, nil
}

// withHint adds what the user can do about an error of a start.
func withHint(err error) error {
	if errors.Is(err, node.ErrNoNATS) {
		return fmt.Errorf("%w: start one, name one with --nats, or run 'meshnode serve --embed', which brings its own", err)
	}
	return err
}

// leaveSoon leaves, within leaveWait: the process ends anyway.
func leaveSoon(n *node.Node) {
	ctx, cancel := context.WithTimeout(context.Background(), leaveWait)
	defer cancel()
	left := make(chan struct{})
	go func() {
		defer close(left)
		n.Leave(ctx)
	}()
	select {
	case <-left:
	case <-ctx.Done():
	}
}

// visitorID tells whoever reads the members' logs who came by.
func visitorID() string {
	var random [8]byte
	rand.Read(random[:])
	return "meshnode-" + hex.EncodeToString(random[:])
}

// others are the members without the visitor itself, by ID.
func (v visitor) others() []mesh.Member {
	return slices.DeleteFunc(v.Mesh().Members(), func(m mesh.Member) bool { return m.ID == v.ID() })
}

// open opens a cache for reading, if any member serves it. It keeps no replicas:
// a visit is too short for them.
func (v visitor) open(name string) (*mesh.Cache[[]byte], error) {
	return v.openWith(name, mesh.Options{ReplicaBytes: -1})
}

func (v visitor) openWith(name string, opts mesh.Options) (*mesh.Cache[[]byte], error) {
	if !slices.Contains(v.served(), name) {
		return nil, v.noOwner(name)
	}
	cache, err := mesh.NewCache[[]byte](v.Mesh(), name, nil, opts)
	if err != nil {
		return nil, &usageError{err}
	}
	return cache, nil
}

// served are the caches that members own, by name.
func (v visitor) served() []string {
	var names []string
	for _, m := range v.others() {
		if !m.Reader {
			names = append(names, m.Caches...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// unfenced waits until the visitor may use its memory: where that takes a quorum, it must have heard
// one for a lease.
func (v visitor) unfenced(ctx context.Context) error {
	wait := v.lease + 5*time.Second
	ctx, cancel := context.WithTimeoutCause(ctx, wait, fmt.Errorf("no quorum of members was heard within %v", wait))
	defer cancel()
	ctx, release := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer release()
	tick := time.NewTicker(visitorHeartbeat / 10)
	defer tick.Stop()
	for v.Mesh().Stats().Fenced {
		select {
		case <-tick.C:
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return errInterrupted
			}
			return context.Cause(ctx)
		}
	}
	return nil
}

// noOwner says that nobody serves a cache, and what is served instead.
func (v visitor) noOwner(name string) error {
	at := fmt.Sprintf("mesh %q at %s", v.mesh, v.URL())
	switch names := v.served(); {
	case len(v.others()) == 0:
		return fmt.Errorf("nobody serves cache %q: %s has no members", name, at)
	case len(names) == 0:
		return fmt.Errorf("nobody serves cache %q: the members of %s have opened no cache", name, at)
	default:
		return fmt.Errorf("nobody serves cache %q: %s has %s", name, at, strings.Join(names, ", "))
	}
}

// warn writes a line for the user beside the answer.
func warn(w io.Writer, format string, a ...any) {
	fmt.Fprintf(w, "meshnode: "+format+"\n", a...)
}
