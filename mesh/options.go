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
	DefaultErrorBackoff        = 5 * time.Second
	DefaultLoadTimeout         = 30 * time.Second
	DefaultMaxLoads            = 256
	DefaultMaxValueBytes int64 = 64 << 20
	DefaultBatchLimit          = 256
	DefaultBatchWindow         = time.Millisecond
)

// Options says how a cache keeps and loads. The zero value works. Durations are 1ms at least
// where they are not 0. Members may open one cache with different options: the owner's decide
// about a value.
//
// An entry's life, with all that an option can add to it:
//
//	load begins (age 0)                    TTL, less jitter
//	|                                      |
//	|   fresh            refreshed ahead   |   stale                              gone
//	|-------------------|------------------|-----------------|--------------------|------>
//	|                   |                  |                 |                    |
//	|                   RefreshAhead x life| StaleWhile-     | StaleIfError       memory no longer
//	|                   |                  | Revalidate      |                    answers with it
//	answered at once    answered at once,  answered at once, a load is waited for,
//	                    one load behind    marked stale, one for SoftTimeout at most;
//	                                       load behind       answered stale if it fails
//
// Invalidate, InvalidateTags, Clear and Set end it at once, from any stage. The load behind a
// read is one for the whole mesh, at the owner. After a load that has failed the next try is
// made ErrorBackoff later. A replica is gone after ReplicaTTL, or where its owner would refresh
// the value, whichever comes first.
type Options struct {
	// MaxBytes is the memory for owned values, at least 64 KiB. Default 64 MiB.
	// A value larger than a quarter of it is answered and never kept. Of types
	// other than []byte and string twice the encoded length is counted, for both
	// forms are kept; a decoded one of many small parts may take more than that.
	MaxBytes int64
	// ReplicaBytes is the memory for hot replicas. Default MaxBytes/8;
	// negative: no replicas. A value larger than a quarter of it, and so by
	// default than MaxBytes/32, is fetched anew for each read.
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

	// StaleWhileRevalidate is how long after its TTL a value is still answered
	// at once, marked stale, while one load behind it renews it (RFC 5861).
	// Default 0: not at all.
	StaleWhileRevalidate time.Duration
	// StaleIfError is how long after its TTL a value is answered, marked stale,
	// when its load fails (RFC 5861). "Not found" is no failure. The origin is
	// tried again no more often than ErrorBackoff allows. Default 0: not at all.
	StaleIfError time.Duration
	// ErrorBackoff is how long after a failed load the origin is left alone
	// about a key that there is an old value for. Default 5s.
	ErrorBackoff time.Duration
	// SoftTimeout is how long a read past the StaleWhileRevalidate window waits
	// for the load before it is answered with the old value; the load goes on. It needs
	// StaleIfError. Default 0: as long as it takes.
	SoftTimeout time.Duration
	// RefreshAhead is the share of its life, between 0 and 1, past which a read
	// of a value starts a load behind it, so that a key that is read
	// steadily is never waited for. Default 0: off.
	RefreshAhead float64

	// LoadTimeout bounds a load, with the time that it waits for a place among MaxLoads. Who asks while one that was given up has not returned waits
	// for that as well. Default 30s.
	LoadTimeout time.Duration
	// MaxLoads is how many loads run at once on this member for this cache.
	// More wait for their turn, and fail with ErrOverloaded at their deadline. Once
	// one has waited for 100 ms the youngest come first, so that under more than
	// can be loaded most loads are still for somebody who waits.
	// Default 256.
	MaxLoads int
	// MaxValueBytes is the largest encoded value; a larger one is ErrTooLarge.
	// Default 64 MiB, at most 1 GiB.
	MaxValueBytes int64
	// MaxIsolation is how long this member may be cut off from NATS, or displaced by
	// another of its ID, and still answer from memory. Longer, and every read is a load.
	// A connection that is silent but not lost counts as cut off from the last sign of NATS on,
	// once that is two and a half heartbeats ago, and a second at least.
	// Default 0: TTL alone bounds what is read.
	MaxIsolation time.Duration
	// BatchLimit is the most keys in one LoadMany of a BatchLoader. Default 256.
	BatchLimit int
	// BatchWindow is how long a lone miss waits for company before LoadMany.
	// Default 1ms, at most 1s; negative: not at all. Loaders that are no BatchLoader never wait.
	BatchWindow time.Duration
	// Observer is told of reads, loads and invalidations; nil: nobody.
	Observer Observer
	// Codec turns values into bytes. Default: []byte and string as they are,
	// all else CBOR.
	Codec Codec
}

// withDefaults fills in what is missing and refuses what makes no sense.
func (o Options) withDefaults() (Options, error) {
	var errs []error
	bad := func(field, format string, a ...any) {
		errs = append(errs, fmt.Errorf("mesh: Options.%s %s", field, fmt.Sprintf(format, a...)))
	}
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
	duration("ErrorBackoff", &o.ErrorBackoff, DefaultErrorBackoff)
	window := func(field string, d time.Duration) {
		if d < 0 || d > 0 && d < time.Millisecond {
			bad(field, "is %v: it must be 0, or at least 1ms", d)
		}
	}
	window("StaleWhileRevalidate", o.StaleWhileRevalidate)
	window("StaleIfError", o.StaleIfError)
	window("SoftTimeout", o.SoftTimeout)
	window("MaxIsolation", o.MaxIsolation)
	if o.SoftTimeout > 0 && o.StaleIfError <= 0 {
		bad("SoftTimeout", "is %v without StaleIfError: there would be nothing stale to answer", o.SoftTimeout)
	}
	if o.SoftTimeout > 0 && o.StaleIfError > 0 && o.StaleIfError <= o.StaleWhileRevalidate {
		bad("SoftTimeout", "never comes to pass: StaleIfError (%v) must be longer than StaleWhileRevalidate (%v)", o.StaleIfError, o.StaleWhileRevalidate)
	}
	if o.SoftTimeout > 0 && o.SoftTimeout >= o.LoadTimeout {
		bad("SoftTimeout", "is %v and never comes to pass: it must be less than LoadTimeout, which is %v", o.SoftTimeout, o.LoadTimeout)
	}
	if !(o.RefreshAhead >= 0 && o.RefreshAhead < 1) {
		bad("RefreshAhead", "is %v: it is a share of the TTL, and must be at least 0 and less than 1", o.RefreshAhead)
	}
	if o.TTL == NoExpiry {
		stale := o.StaleWhileRevalidate > 0 || o.StaleIfError > 0
		if stale || o.RefreshAhead > 0 {
			bad("TTL", "is NoExpiry: nothing is ever stale or refreshed ahead, so StaleWhileRevalidate, StaleIfError and RefreshAhead must be 0")
		}
	}
	switch {
	case o.BatchLimit == 0:
		o.BatchLimit = DefaultBatchLimit
	case o.BatchLimit < 0:
		bad("BatchLimit", "is %d: it must be at least 1", o.BatchLimit)
	}
	switch {
	case o.BatchWindow == 0:
		o.BatchWindow = DefaultBatchWindow
	case o.BatchWindow < 0:
		o.BatchWindow = 0
	case o.BatchWindow > time.Second:
		bad("BatchWindow", "is %v: every lone miss would wait that long; it must be at most 1s", o.BatchWindow)
	}
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
	if o.Observer != nil && isNil(o.Observer) {
		bad("Observer", "is a nil %T: leave it out for none", o.Observer)
	}
	return o, errors.Join(errs...)
}

// life is the longest that a value of the cache may live; negative: for ever.
func (o Options) life() time.Duration {
	if o.TTL == NoExpiry || o.NegativeTTL == NoExpiry {
		return -1
	}
	return max(o.TTL+o.staleWindow(), o.NegativeTTL)
}

// staleWindow is how long after its TTL a value may still be answered.
func (o Options) staleWindow() time.Duration { return max(o.StaleWhileRevalidate, o.StaleIfError) }
