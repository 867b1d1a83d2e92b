package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// contender is one way to get a value that another process holds: the worker
// that asks, the one that holds, and the broker between them if there is one.
type contender struct {
	name                  string
	broker, owner, caller *child // broker and owner may be nil
}

const (
	nameMesh       = "cachemesh"
	nameEmbedded   = "cachemesh, server in the owner"
	nameNATS       = "nats.go, a Request for each get"
	nameGroupcache = "groupcache over HTTP"
	nameRedis      = "Redis, rueidis"
	nameRelay      = "a relay between two, no cache"
	nameTCP        = "one TCP connection, no cache"
)

// contenders starts them all, in the order of the tables. What this machine
// lacks is told in notes.
func contenders(ctx context.Context, f *family) (all []contender, notes []string, err error) {
	for _, open := range []func(context.Context, *family) (contender, error){
		meshContender, embeddedContender, natsContender, groupcacheContender, redisContender, relayContender, tcpContender,
	} {
		c, err := open(ctx, f)
		if errors.Is(err, errNoRedis) {
			notes = append(notes, "Redis was left out: "+err.Error()+".")
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		all = append(all, c)
	}
	return all, notes, nil
}

func meshContender(ctx context.Context, f *family) (c contender, err error) {
	c.name = nameMesh
	if c.broker, err = f.add(ctx, spec{System: "nats-server"}); err != nil {
		return c, err
	}
	if c.owner, err = f.add(ctx, spec{System: "mesh", ID: "owner", URL: c.broker.addr}); err != nil {
		return c, err
	}
	return c, c.reader(ctx, f, c.broker.addr)
}

func embeddedContender(ctx context.Context, f *family) (c contender, err error) {
	c.name = nameEmbedded
	if c.owner, err = f.add(ctx, spec{System: "mesh", ID: "owner", Embed: true}); err != nil {
		return c, err
	}
	return c, c.reader(ctx, f, c.owner.addr)
}

// reader starts the caller of a mesh: a member that keeps nothing.
func (c *contender) reader(ctx context.Context, f *family, url string) (err error) {
	if c.caller, err = f.add(ctx, spec{System: "mesh", ID: "caller", URL: url, Reader: true}); err != nil {
		return err
	}
	_, err = c.caller.ask(ctx, command{Do: "settle", Want: 2})
	return err
}

func natsContender(ctx context.Context, f *family) (c contender, err error) {
	c.name = nameNATS
	if c.broker, err = f.add(ctx, spec{System: "nats-server"}); err != nil {
		return c, err
	}
	if c.owner, err = f.add(ctx, spec{System: "nats-owner", URL: c.broker.addr}); err != nil {
		return c, err
	}
	c.caller, err = f.add(ctx, spec{System: "nats", URL: c.broker.addr})
	return c, err
}

func groupcacheContender(ctx context.Context, f *family) (c contender, err error) {
	c.name = nameGroupcache
	if c.owner, err = f.add(ctx, spec{System: "groupcache"}); err != nil {
		return c, err
	}
	if _, err = c.owner.ask(ctx, command{Do: "peers", Peers: []string{c.owner.addr}}); err != nil {
		return c, err
	}
	c.caller, err = f.add(ctx, spec{System: "groupcache", Addr: c.owner.addr, Reader: true})
	return c, err
}

func redisContender(ctx context.Context, f *family) (c contender, err error) {
	c.name = nameRedis
	if c.broker, err = f.add(ctx, spec{System: "redis-server"}); err != nil {
		return c, err
	}
	c.caller, err = f.add(ctx, spec{System: "redis", Addr: c.broker.addr})
	return c, err
}

func relayContender(ctx context.Context, f *family) (c contender, err error) {
	c.name = nameRelay
	if c.owner, err = f.add(ctx, spec{System: "tcp-owner"}); err != nil {
		return c, err
	}
	if c.broker, err = f.add(ctx, spec{System: "tcp-relay", Addr: c.owner.addr}); err != nil {
		return c, err
	}
	c.caller, err = f.add(ctx, spec{System: "tcp", Addr: c.broker.addr})
	return c, err
}

func tcpContender(ctx context.Context, f *family) (c contender, err error) {
	c.name = nameTCP
	if c.owner, err = f.add(ctx, spec{System: "tcp-owner"}); err != nil {
		return c, err
	}
	c.caller, err = f.add(ctx, spec{System: "tcp", Addr: c.owner.addr})
	return c, err
}

// load is how much is asked for at once, and of what size.
type load struct {
	callers, size int
}

// remoteSamples is what was measured of one contender under one load, round by
// round.
type remoteSamples struct {
	rate, p50, p99, mallocs sample // gets a second, microseconds, a get
	broker, owner, caller   sample // CPU microseconds a get
	gets, failed            int
	why                     string // the last of them failed
}

// cpu is that of all processes.
func (r *remoteSamples) cpu() (all sample) {
	for i := range r.caller {
		all = append(all, r.broker[i]+r.owner[i]+r.caller[i])
	}
	return all
}

// remoteGets measures gets of values that another process holds.
func remoteGets(ctx context.Context, p plan) ([]table, error) {
	var f family
	defer f.stop()
	all, notes, err := contenders(ctx, &f)
	if err != nil {
		return nil, err
	}
	kib := []load{{1, 1 << 10}, {64, 1 << 10}, {256, 1 << 10}}
	large := []load{{64, 16 << 10}, {64, 256 << 10}}
	for _, l := range []load{kib[0], large[0], large[1]} {
		for _, c := range all {
			if _, err := c.caller.ask(ctx, residents(l, "warm")); err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	got := map[string]map[load]*remoteSamples{}
	for _, c := range all {
		got[c.name] = map[load]*remoteSamples{}
	}
	for round := range upTo(ctx, p.rounds, 1) {
		for _, l := range slices.Concat(kib, large) {
			if l.size > 1<<10 && round > p.rounds/2 {
				continue // large values take half as many rounds
			}
			for i := range all {
				c := all[(i+round)%len(all)] // nobody is always first
				p.note("remote: round %d of %d, %d callers, %d bytes: %s", round+1, p.rounds, l.callers, l.size, c.name)
				s := got[c.name][l]
				if s == nil {
					s = &remoteSamples{}
					got[c.name][l] = s
				}
				if err := c.measure(ctx, l, p.slice, uint64(round), s); err != nil {
					return nil, fmt.Errorf("%s: %w", c.name, err)
				}
			}
		}
	}
	tables := []table{remoteTable(all, got, kib[1:], notes), loneTable(all, got, kib[0]), cpuTable(all, got, kib[1:]), sizeTable(all, got, large)}
	// A failed get is told beside the first table, whatever its size.
	tables[0].Notes = append(tables[0].Notes, failures(all, got, slices.Concat(kib, large))...)
	return tables, nil
}

// residents is a command about keys that an owner has room for.
func residents(l load, do string) command {
	return command{Do: do, Size: l.size, Keys: max(min(20_000, (32<<20)/l.size), 64), Callers: l.callers}
}

// measure runs one slice and takes the CPU time of every process over it.
func (c contender) measure(ctx context.Context, l load, d time.Duration, round uint64, into *remoteSamples) error {
	roles := []*child{c.broker, c.owner, c.caller}
	before, err := usages(ctx, roles)
	if err != nil {
		return err
	}
	run := residents(l, "closed")
	run.For, run.Seed = d, round*31+1
	r, err := c.caller.ask(ctx, run)
	if err != nil {
		return err
	}
	after, err := usages(ctx, roles)
	if err != nil {
		return err
	}
	gets := float64(max(r.Gets, 1))
	into.gets, into.failed = into.gets+r.Gets, into.failed+r.Failed
	if r.Why != "" {
		into.why = r.Why
	}
	into.rate = append(into.rate, gets/r.Took.Seconds())
	into.p50 = append(into.p50, us(r.P50))
	into.p99 = append(into.p99, us(r.P99))
	into.mallocs = append(into.mallocs, r.Mallocs)
	for i, s := range []*sample{&into.broker, &into.owner, &into.caller} {
		*s = append(*s, us(after[i]-before[i])/gets)
	}
	return nil
}

// usages is the CPU time of each, 0 for those that are not there.
func usages(ctx context.Context, roles []*child) ([]time.Duration, error) {
	out := make([]time.Duration, len(roles))
	for i, c := range roles {
		if c == nil {
			continue
		}
		r, err := c.ask(ctx, command{Do: "usage"})
		if err != nil {
			return nil, err
		}
		out[i] = r.CPU
	}
	return out, nil
}
