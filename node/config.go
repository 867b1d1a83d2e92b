package node

import (
	"log/slog"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/cachemesh/cachemesh/mesh"
)

// DefaultEmbedAddr is where an embedded NATS server listens: the port that
// NATS clients try by default, on this machine alone.
const DefaultEmbedAddr = "127.0.0.1:4222"

// Config says what a node is. The zero value joins the mesh "default" on the
// NATS of this machine, without caches.
type Config struct {
	// NATS is the server's URL, or several with commas between them. Default
	// nats://127.0.0.1:4222; ignored with Embed.
	NATS string
	// Embed starts a NATS server in this process, for machines that run none.
	// Others connect to it as to any NATS server; it stops with the node.
	Embed bool
	// EmbedAddr is where the embedded server listens, "host:port", port 0 for
	// any free one. Default DefaultEmbedAddr.
	EmbedAddr string
	// Creds is a NATS credentials file (user JWT and seed). Default: none.
	Creds string

	// Mesh is the name of the mesh. Default "default".
	Mesh string
	// ID of this member, unique among live ones. Default: a fresh one.
	ID string
	// Weight is the member's share of the keys relative to others, 1 to 100.
	// Default 1.
	Weight int
	// Reader: the node reads but owns and loads nothing; its caches have no
	// origins.
	Reader bool
	// Quorum above 0 is fence mode: how many members a member must hear to answer
	// from memory. The same for all members of a mesh; see CONSISTENCY.md. Default 0.
	Quorum int
	// Heartbeat of the member. Default 1s.
	Heartbeat time.Duration
	// Lease is the silence after which others give the member up, 10m at most. Default 5
	// heartbeats.
	Lease time.Duration
	// Caches that the node opens.
	Caches []CacheSpec
	// MemoryLimit is what this process may take, in bytes: a soft limit, as
	// debug.SetMemoryLimit sets it, from the start of the node until it has left.
	// It must not be less than MaxBytes and ReplicaBytes of all Caches, and goes
	// before GOMEMLIMIT. NoMemoryLimit: the runtime is left alone. Default 0: 1.25
	// times those bytes and 64 MiB for the rest of the process; nothing without
	// Caches, or where a limit is set already, by GOMEMLIMIT or in the program.
	//
	// Limits of nodes in one process add up. A program that takes much memory
	// beside its nodes, or opens more caches through Node.Mesh, sets its own.
	MemoryLimit int64

	// HTTP is where health, readiness and metrics are served, "host:port"; a
	// port alone (":8080", "8080") is on the loopback interface. Port 0 is any
	// free one. Default "": not at all.
	HTTP string
	// Logger gets what an operator should know. Default slog.Default().
	Logger *slog.Logger
}

// withDefaults fills in what is missing and refuses what makes no sense. Errors
// are ErrConfig. It opens nothing, so that a mistake is reported before
// anything has been started.
func (c Config) withDefaults() (Config, error) {
	if c.NATS == "" {
		c.NATS = nats.DefaultURL
	}
	if c.EmbedAddr == "" {
		c.EmbedAddr = DefaultEmbedAddr
	}
	if c.Mesh == "" {
		c.Mesh = mesh.DefaultName
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if err := c.check(); err != nil {
		return c, err
	}
	if c.HTTP != "" {
		addr, err := listenAddr(c.HTTP)
		if err != nil {
			return c, err
		}
		c.HTTP = addr
	}
	return c, nil
}

// maxLease is twice the default of the longest heartbeat.
const maxLease = 10 * time.Minute

// check repeats the bounds of mesh.Config: mesh.Join checks them too, but has
// to be given a connection first.
func (c Config) check() error {
	switch {
	case !validName(c.Mesh):
		return configErrorf("mesh name %q: it must be 1 to 64 of A-Z a-z 0-9 _ -", c.Mesh)
	case c.ID != "" && !validName(c.ID):
		return configErrorf("member ID %q: it must be 1 to 64 of A-Z a-z 0-9 _ -", c.ID)
	case c.Weight < 0 || c.Weight > 100:
		return configErrorf("weight %d: it must be 1 to 100", c.Weight)
	case c.Quorum < 0 || c.Quorum > 64:
		return configErrorf("quorum %d: it must be 0 to 64", c.Quorum)
	case c.Heartbeat != 0 && (c.Heartbeat < 10*time.Millisecond || c.Heartbeat > time.Minute):
		return configErrorf("heartbeat %v: it must be 10ms to 1m", c.Heartbeat)
	case c.Lease < 0 || c.Lease != 0 && c.Lease < 3*c.heartbeat():
		return configErrorf("lease %v: it must be at least three heartbeats, which are %v", c.Lease, 3*c.heartbeat())
	case c.Lease > maxLease:
		return configErrorf("lease %v: it must be at most %v: so long may others wait for a member that has died", c.Lease, maxLease)
	}
	if !c.Embed {
		if err := checkURLs(c.NATS); err != nil {
			return err
		}
	}
	if c.Creds != "" && !c.Embed {
		if _, err := os.Stat(c.Creds); err != nil {
			return configErrorf("credentials: %v", err)
		}
	}
	names := map[string]bool{}
	for _, spec := range c.Caches {
		if err := spec.check(c.Reader); err != nil {
			return err
		}
		if names[spec.Name] {
			return configErrorf("cache %q is there twice: each needs a name of its own", spec.Name)
		}
		names[spec.Name] = true
	}
	if c.MemoryLimit < 0 && c.MemoryLimit != NoMemoryLimit {
		return configErrorf("memory limit %d: it must be positive, 0 for the default or %d for none", c.MemoryLimit, NoMemoryLimit)
	}
	if budget := c.budget(); c.MemoryLimit > 0 && c.MemoryLimit < budget {
		return configErrorf("memory limit %s: it must be at least the %s that the caches may take (bytes and replica-bytes of each), and better half as much again",
			formatSize(c.MemoryLimit), formatSize(budget))
	}
	return nil
}

func (c Config) heartbeat() time.Duration {
	if c.Heartbeat == 0 {
		return mesh.DefaultHeartbeat
	}
	return c.Heartbeat
}

// listenAddr completes an address for the admin server: a port alone is on the
// loopback interface, because what it shows is nobody else's business until
// somebody says so.
func listenAddr(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		host, port = "", s
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n > 65535 {
		return "", configErrorf("HTTP address %q: write host:port or a port, such as 127.0.0.1:8080 or 8080", s)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port), nil
}

// embedAddr splits Config.EmbedAddr.
func embedAddr(s string) (host string, port int, err error) {
	host, p, err := net.SplitHostPort(s)
	n, perr := strconv.ParseUint(p, 10, 16)
	if err != nil || perr != nil {
		return "", 0, configErrorf("address of the embedded NATS %q: write host:port, such as %s", s, DefaultEmbedAddr)
	}
	return host, int(n), nil
}
