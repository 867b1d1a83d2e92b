package mesh

import (
	"errors"
	"fmt"
	"time"

	"github.com/cachemesh/cachemesh/loader"
)

// NoExpiry, as a TTL, is for values that never change.
const NoExpiry = loader.NoExpiry

// Defaults of Options.
const (
	DefaultMaxBytes      int64 = 64 << 20
	DefaultTTL                 = 5 * time.Minute
	DefaultJitter              = 0.1
	DefaultReplicaTTL          = 10 * time.Second
	DefaultLoadTimeout         = 30 * time.Second
	DefaultMaxLoads            = 256
	DefaultMaxValueBytes int64 = 64 << 20
	DefaultBatchLimit          = 256
	DefaultBatchWindow         = time.Millisecond
)

// Options says how a cache keeps and loads. The zero value works. Members may
// open one cache with different options: the owner's decide about a value.
type Options struct {
	// MaxBytes is the memory for owned values, at least 64 KiB. Default 64 MiB.
	// A value larger than a quarter of it is answered and never kept.
	MaxBytes int64
	// ReplicaBytes is the memory for hot replicas. Default MaxBytes/8;
	// negative: no replicas.
	ReplicaBytes int64
	// TTL is how long a value is fresh, counted from when its load began, at
	// least 1ms. Default 5m. NoExpiry for values that never change.
	TTL time.Duration
	// Jitter is the share of the TTL that is taken off at random, so that what
	// was loaded together does not expire together. Up to 1. Default 0.1;
	// negative: none.
	Jitter float64
	// NegativeTTL is how long "not found" is remembered. Default 0: not at all.
	NegativeTTL time.Duration
	// ReplicaTTL is the longest life of a replica here. Default 10s.
	ReplicaTTL time.Duration

	// StaleWhileRevalidate does not work yet: NewCache refuses it.
	StaleWhileRevalidate time.Duration
	// StaleIfError does not work yet: NewCache refuses it.
	StaleIfError time.Duration
	// SoftTimeout does not work yet: NewCache refuses it.
	SoftTimeout time.Duration
	// RefreshAhead does not work yet: NewCache refuses it.
	RefreshAhead float64

	// LoadTimeout bounds a load. Default 30s.
	LoadTimeout time.Duration
	// MaxLoads is how many loads run at once on this member for this cache.
	// More wait for their turn, and fail with ErrOverloaded at their deadline.
	// Default 256.
	MaxLoads int
	// MaxValueBytes is the largest encoded value; a larger one is ErrTooLarge.
	// Default 64 MiB, at most 1 GiB.
	MaxValueBytes int64
	// MaxIsolation does not work yet: NewCache refuses it.
	MaxIsolation time.Duration
	// BatchLimit does not work yet: NewCache refuses it.
	BatchLimit int
	// BatchWindow does not work yet: NewCache refuses it.
	BatchWindow time.Duration
	// Observer does not work yet: NewCache refuses it.
	Observer Observer
	// Codec turns values into bytes. Default: []byte and string as they are,
	// all else CBOR.
	Codec Codec
}

// Observer will be told of loads, answers and invalidations.
type Observer interface{}

// withDefaults fills in what is missing and refuses what makes no sense.
func (o Options) withDefaults() (Options, error) {
	var errs []error
	bad := func(field, format string, a ...any) {
		errs = append(errs, fmt.Errorf("mesh: Options.%s %s", field, fmt.Sprintf(format, a...)))
	}
	notYet := func(field string, set bool) {
		if set {
			bad(field, "does not work yet: leave it unset")
		}
	}
	notYet("StaleWhileRevalidate", o.StaleWhileRevalidate != 0)
	notYet("StaleIfError", o.StaleIfError != 0)
	notYet("SoftTimeout", o.SoftTimeout != 0)
	notYet("RefreshAhead", o.RefreshAhead != 0)
	notYet("MaxIsolation", o.MaxIsolation != 0)
	notYet("BatchLimit", o.BatchLimit != 0)
	notYet("BatchWindow", o.BatchWindow != 0)
	notYet("Observer", o.Observer != nil)

	const minBytes = 64 << 10
	switch {
	case o.MaxBytes == 0:
		o.MaxBytes = DefaultMaxBytes
	case o.MaxBytes < minBytes:
		bad("MaxBytes", "is %d: it must be at least %d", o.MaxBytes, minBytes)
	}
	switch {
	case o.ReplicaBytes == 0:
		o.ReplicaBytes = o.MaxBytes / 8
	case o.ReplicaBytes < 0:
		o.ReplicaBytes = 0
	}
	duration := func(field string, d *time.Duration, def time.Duration) {
		switch {
		case *d == 0:
			*d = def
		case *d < time.Millisecond:
			bad(field, "is %v: it must be at least 1ms", *d)
		}
	}
	duration("TTL", &o.TTL, DefaultTTL)
	duration("ReplicaTTL", &o.ReplicaTTL, DefaultReplicaTTL)
	duration("LoadTimeout", &o.LoadTimeout, DefaultLoadTimeout)
	if o.NegativeTTL < 0 || o.NegativeTTL > 0 && o.NegativeTTL < time.Millisecond {
		bad("NegativeTTL", "is %v: it must be 0, or at least 1ms", o.NegativeTTL)
	}
	switch {
	case o.Jitter == 0:
		o.Jitter = DefaultJitter
	case o.Jitter < 0:
		o.Jitter = 0
	case !(o.Jitter <= 1):
		bad("Jitter", "is %v: it is a share of TTL, at most 1; negative for none", o.Jitter)
	}
	switch {
	case o.MaxLoads == 0:
		o.MaxLoads = DefaultMaxLoads
	case o.MaxLoads < 0:
		bad("MaxLoads", "is %d: it must be at least 1", o.MaxLoads)
	}
	const most = 1 << 30
	switch {
	case o.MaxValueBytes == 0:
		o.MaxValueBytes = DefaultMaxValueBytes
	case o.MaxValueBytes < 0 || o.MaxValueBytes > most:
		bad("MaxValueBytes", "is %d: it must be 1 to %d", o.MaxValueBytes, most)
	}
	return o, errors.Join(errs...)
}

// life is the longest that a value of the cache may live; negative: for ever.
func (o Options) life() time.Duration {
	if o.TTL == NoExpiry || o.NegativeTTL == NoExpiry {
		return -1
	}
	return max(o.TTL, o.NegativeTTL)
}
