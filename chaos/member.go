package main

import (
	"bufio"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
)

const (
	meshName  = "chaos"
	cacheName = "values"

	joinLimit  = 20 * time.Second
	lookEvery  = 10 * time.Millisecond // at the members
	flushEvery = 50 * time.Millisecond // of what was read
)

// memberProcess is a member, and the readers and invalidators in its process.
type memberProcess struct {
	spec     memberSpec
	nc       *nats.Conn
	mesh     *mesh.Mesh
	cache    *mesh.Cache[[]byte]
	visitors loader.Loader[[]byte] // of those that join from this process and leave

	visits   atomic.Int64 // of doChurn: no ID comes twice
	underWay atomic.Int64 // calls that were begun at a pace

	sending sync.Mutex // guards out
	out     *gob.Encoder

	mu            sync.Mutex // guards the rest
	reads         []read
	seen          time.Duration
	reading       context.CancelFunc
	invalidating  context.CancelFunc
	invalidations uint64
}

// runMember is the process of a member. It ends with its input.
func runMember(spec memberSpec, in io.Reader, out io.Writer) error {
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	p := &memberProcess{spec: spec, out: gob.NewEncoder(out)}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if err := p.join(ctx); err != nil {
		p.send(report{Answer: &answer{Err: err.Error()}})
		return err
	}
	go p.look(ctx)
	go p.flush(ctx)
	p.send(report{Answer: &answer{}}) // to order 0: it has joined
	orders := gob.NewDecoder(bufio.NewReader(in))
	for {
		var o order
		if err := orders.Decode(&o); err != nil {
			return nil // the driver has no more need of us
		}
		if o.Do == doLeave {
			return p.leave(o)
		}
		go p.obey(ctx, o)
	}
}

func connect(url, name string) (*nats.Conn, error) {
	return nats.Connect(url, nats.Name(name), nats.MaxReconnects(-1), nats.Timeout(2*time.Second),
		nats.ReconnectWait(250*time.Millisecond), nats.ReconnectJitter(100*time.Millisecond, 500*time.Millisecond),
		nats.ReconnectBufSize(-1), nats.FlusherTimeout(2*time.Second), nats.ReconnectOnFlusherError(),
		nats.PingInterval(10*time.Second), nats.MaxPingsOutstanding(2), nats.IgnoreAuthErrorAbort())
}

func (p *memberProcess) join(ctx context.Context) (err error) {
	if p.nc, err = connect(p.spec.URL, p.spec.ID); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, joinLimit)
	defer cancel()
	c := mesh.Config{Name: meshName, ID: p.spec.ID, Heartbeat: p.spec.Heartbeat, Quorum: p.spec.Quorum}
	if p.mesh, err = mesh.Join(ctx, p.nc, c); err != nil {
		return err
	}
	p.visitors = loaderFrom(p.spec.Origin, p.spec.ID+"-visitor")
	p.cache, err = mesh.NewCache(p.mesh, cacheName, loaderFrom(p.spec.Origin, p.spec.ID), mesh.Options{TTL: p.spec.TTL, Jitter: -1})
	return err
}

// leave leaves in good order: calls until then are answered.
func (p *memberProcess) leave(o order) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	p.end(&p.reading)
	p.end(&p.invalidating)
	err := p.mesh.Leave(ctx)
	p.nc.Close()
	p.sendReads()
	p.answer(o, answer{}, err)
	return err
}

// end ends what a cancel function ends, and takes it away.
func (p *memberProcess) end(what *context.CancelFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if *what != nil {
		(*what)()
	}
	*what = nil
}

// obey carries out an order and answers it.
func (p *memberProcess) obey(ctx context.Context, o order) {
	var a answer
	var err error
	switch o.Do {
	case doRead:
		p.begin(ctx, o, &p.reading, p.read)
	case doInvalidate:
		p.begin(ctx, o, &p.invalidating, p.invalidate)
	case doFill:
		err = p.fill(ctx, o)
	case doOwners:
		a.Owners = map[string]string{}
		for _, key := range o.Keys {
			a.Owners[key] = p.mesh.Owner(cacheName, key)
		}
	case doStorm:
		a.Took, a.Failed = p.storm(ctx, o)
	case doChurn:
		a, err = p.churn(ctx, o)
	case doMeasure:
		a.Holds, a.Dropped, a.Drops = p.holds(), dropped(p.nc), p.mesh.Stats().Drops
	case doLimit:
		err = limitPending(p.nc, o.N)
	default:
		err = fmt.Errorf("no such order: %q", o.Do)
	}
	p.answer(o, a, err)
}

func (p *memberProcess) answer(o order, a answer, err error) {
	a.Number = o.Number
	if err != nil {
		a.Err = err.Error()
	}
	p.send(report{Answer: &a})
}

func (p *memberProcess) send(r report) {
	p.sending.Lock()
	defer p.sending.Unlock()
	if err := p.out.Encode(r); err != nil {
		os.Exit(1) // the driver is gone
	}
}

// look tells the driver whom this member counts, when that changes.
func (p *memberProcess) look(ctx context.Context) {
	var last []string
	var before time.Duration
	for ctx.Err() == nil {
		at := now()
		ids := p.counted()
		after := now()
		if !equal(ids, last) {
			p.send(report{View: &view{From: after, Before: before, Members: ids}})
			last = ids
		}
		before = at
		p.mu.Lock()
		p.seen = at
		p.mu.Unlock()
		_ = sleep(ctx, lookEvery)
	}
}

func (p *memberProcess) counted() []string {
	var ids []string
	for _, m := range p.mesh.Members() {
		ids = append(ids, m.ID)
	}
	return ids
}

func equal(a, b []string) bool { return fmt.Sprint(a) == fmt.Sprint(b) }

func (p *memberProcess) flush(ctx context.Context) {
	for sleep(ctx, flushEvery) == nil {
		p.sendReads()
	}
}

func (p *memberProcess) sendReads() {
	p.mu.Lock()
	r := report{Reads: p.reads, Seen: p.seen}
	p.reads = nil
	p.mu.Unlock()
	p.send(r)
}

// outcome fills in how an Invalidate has ended.
func (i *invalidation) outcome(err error) {
	if err == nil {
		return
	}
	i.Err = err.Error()
	var partial *mesh.PartialError
	if errors.As(err, &partial) {
		i.Partial, i.Missing = true, partial.Members
	}
}
