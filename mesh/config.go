package mesh

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cachemesh/cachemesh/internal/wire"
)

// Defaults of Config.
const (
	DefaultName      = "default"
	DefaultHeartbeat = time.Second
	leaseBeats       = 5 // heartbeats in a default lease
)

// Bounds of Config.
const (
	minHeartbeat = 10 * time.Millisecond
	maxHeartbeat = time.Minute
	maxLease     = 10 * time.Minute // others wait no longer
	minLeases    = 3                // heartbeats that a lease must hold: two may be lost
	maxWeight    = 100
	maxQuorum    = 64
)

// Config says which mesh a member joins and as what. The zero value works.
type Config struct {
	// Name of the mesh: one subject token, [A-Za-z0-9_-]{1,64}. Members of
	// one name on one NATS find each other. Default "default".
	Name string
	// ID of this member: [A-Za-z0-9_-]{1,64}, unique among live members.
	// Default: a fresh unique one.
	ID string
	// Weight is this member's share of the keys relative to other members, 1
	// to 100. Default 1.
	Weight int
	// Reader: the member reads and keeps replicas, but owns nothing and loads
	// nothing. Its loaders may be nil.
	Reader bool
	// Private: do not answer NATS clients outside the mesh.
	Private bool
	// Heartbeat is how often the member shows that it lives, 10ms to 1m.
	// Among more than a hundred members it does so the more seldom the more
	// there are, every 27ms times their number. Default 1s.
	Heartbeat time.Duration
	// Lease is the silence after which others evict this member, at least
	// three heartbeats. Default five heartbeats; more than ten minutes is ten minutes. Among more than a hundred members
	// it counts from when one of them needs an answer of this one.
	Lease time.Duration
	// Quorum above 0, and up to 64, is fence mode: the promise of Invalidate
	// then holds on every member, those across a partition included, because
	// a member that cannot hear this many, itself included, answers each read by a
	// load and keeps nothing. It must be a majority of the members that there will
	// ever be at a time, those of a rolling update and second processes of an ID
	// included: 2 of 3, 3 of 5. All
	// members must have the same Quorum, and in fence mode the same Lease: Join is
	// refused otherwise. A member begins to answer from memory a lease after Join.
	// Default 0: bounded mode.
	Quorum int
	// Logger gets what a human should know: members coming and going, dropped
	// messages, panics of loaders. Default slog.Default().
	Logger *slog.Logger
}

// withDefaults fills in what is missing and refuses what makes no sense.
func (c Config) withDefaults() (Config, error) {
	if c.Name == "" {
		c.Name = DefaultName
	}
	if c.ID == "" {
		c.ID = freshID()
	}
	if c.Weight == 0 {
		c.Weight = 1
	}
	if c.Heartbeat == 0 {
		c.Heartbeat = DefaultHeartbeat
	}
	if c.Lease == 0 {
		c.Lease = max(0, leaseBeats*c.Heartbeat)
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	var errs []error
	bad := func(field, format string, a ...any) {
		errs = append(errs, fmt.Errorf("mesh: Config.%s %s", field, fmt.Sprintf(format, a...)))
	}
	if !wire.ValidToken(c.Name) {
		bad("Name", "is %q: it must be 1 to 64 of A-Z a-z 0-9 _ -", c.Name)
	}
	if !wire.ValidToken(c.ID) {
		bad("ID", "is %q: it must be 1 to 64 of A-Z a-z 0-9 _ -", c.ID)
	}
	if c.Weight < 1 || c.Weight > maxWeight {
		bad("Weight", "is %d: it must be 1 to %d", c.Weight, maxWeight)
	}
	if c.Heartbeat < minHeartbeat || c.Heartbeat > maxHeartbeat {
		bad("Heartbeat", "is %v: it must be %v to %v", c.Heartbeat, minHeartbeat, maxHeartbeat)
	}
	if c.Lease < minLeases*c.Heartbeat {
		bad("Lease", "is %v: it must be at least %d heartbeats, which are %v", c.Lease, minLeases, minLeases*c.Heartbeat)
	}
	if c.Quorum < 0 || c.Quorum > maxQuorum {
		bad("Quorum", "is %d: it must be 0 (bounded mode) to %d, a majority of the members", c.Quorum, maxQuorum)
	}
	c.Lease = min(c.Lease, maxLease)
	return c, errors.Join(errs...)
}

// freshID is 96 random bits in hexadecimal.
func freshID() string {
	var b [12]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
