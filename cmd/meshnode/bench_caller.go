package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/cachemesh/cachemesh/mesh"
)

// afterError is a caller's pause after an operation that failed: a mesh in
// trouble gets no flood on top.
const afterError = 10 * time.Millisecond

// operation is what a caller does with a key.
type operation int

const (
	read operation = iota
	readFresh
	invalidate
)

// call is one caller: until stop is closed it does one operation after the
// other. What ctx cuts off is not counted as failed.
func (b *bench) call(ctx context.Context, number uint64, t *benchTally) {
	r := rand.New(rand.NewPCG(number, 11))
	bounds := deadlines{parent: ctx, timeout: b.cfg.timeout}
	defer bounds.cancel()
	for {
		select {
		case <-b.stop:
			return
		default:
		}
		op := b.operation(r)
		key := b.keys[b.pick.rank(r)]
		e, took, err := b.do(bounds.next(), op, key)
		if err != nil && ctx.Err() != nil {
			t.cut()
			return
		}
		if t.record(op, e, took, err) {
			continue
		}
		select {
		case <-time.After(afterError):
		case <-b.stop:
		}
	}
}

// operation picks one by the shares that the flags ask for.
func (b *bench) operation(r *rand.Rand) operation {
	if b.cfg.invalidate == 0 && b.cfg.fresh == 0 {
		return read
	}
	switch p := 100 * r.Float64(); {
	case p < b.cfg.invalidate:
		return invalidate
	case p < b.cfg.invalidate+b.cfg.fresh:
		return readFresh
	}
	return read
}

func (b *bench) do(ctx context.Context, op operation, key string) (e mesh.Entry[[]byte], took time.Duration, err error) {
	began := time.Now()
	switch op {
	case invalidate:
		err = b.cache.Invalidate(ctx, key)
	case readFresh:
		e, err = b.cache.Lookup(ctx, key, mesh.Fresh())
	default:
		e, err = b.cache.Lookup(ctx, key)
	}
	took = time.Since(began)
	if err == nil && took > b.cfg.timeout {
		err = context.DeadlineExceeded // it came, but too late
	}
	return e, took, err
}

// deadlines bounds the operations of one caller. To make a context takes longer
// than to read a replica, so that one serves for many operations: as long as
// it leaves them the whole timeout.
type deadlines struct {
	parent  context.Context
	timeout time.Duration

	ctx    context.Context
	end    func()
	usable time.Time // until when
}

// next is the context of the next operation: it ends after once to twice the
// timeout.
func (d *deadlines) next() context.Context {
	now := time.Now()
	if d.ctx == nil || now.After(d.usable) {
		d.cancel()
		d.ctx, d.end = context.WithTimeout(d.parent, 2*d.timeout)
		d.usable = now.Add(d.timeout)
	}
	return d.ctx
}

func (d *deadlines) cancel() {
	if d.end != nil {
		d.end()
	}
}

// kindOf names an error for the report, "" for one that says that there is no
// such key.
func kindOf(err error) string {
	var (
		load    *mesh.LoadError
		partial *mesh.PartialError
	)
	switch {
	case errors.Is(err, mesh.ErrNotFound):
		return ""
	case errors.As(err, &partial):
		return "not confirmed by all"
	case errors.Is(err, mesh.ErrOverloaded):
		return "overloaded"
	case errors.Is(err, mesh.ErrNoOwner):
		return "no owner"
	case errors.Is(err, mesh.ErrTooLarge):
		return "value too large"
	case errors.Is(err, mesh.ErrBadKey):
		return "bad key"
	case errors.Is(err, mesh.ErrClosed):
		return "connection closed"
	case errors.As(err, &load):
		return "origin failed"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	}
	return "other"
}
