package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// errNoRedis is returned when this machine has no redis-server to measure.
var errNoRedis = errors.New("no redis-server on the PATH")

// newRedisServer runs redis-server, which keeps nothing on disk, and stands for
// it: its CPU time is what it says itself.
func newRedisServer(ctx context.Context, s spec) (*system, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, errNoRedis
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := ln.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	ln.Close()
	// The shell ends the server when its input does: however this process ends.
	const guard = `trap "" INT TERM; "$0" "$@" & read -r _; kill -KILL $!; wait`
	cmd := exec.Command("/bin/sh", "-c", guard, path, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--daemonize", "no")
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop := func() { _ = in.Close(); _ = cmd.Wait() }
	client, err := dialRedis(ctx, addr)
	if err != nil {
		stop()
		return nil, err
	}
	return &system{
		addr: addr,
		cpu: func() (time.Duration, error) {
			info, err := client.Do(context.Background(), client.B().Info().Section("cpu").Build()).ToString()
			if err != nil {
				return 0, err
			}
			return redisCPU(info)
		},
		close: func() { client.Close(); stop() },
	}, nil
}

var redisCPUField = regexp.MustCompile(`(?m)^used_cpu_(?:sys|user):([0-9.]+)`)

// redisCPU reads the answer of INFO cpu.
func redisCPU(info string) (time.Duration, error) {
	var sum float64
	found := redisCPUField.FindAllStringSubmatch(info, -1)
	for _, m := range found {
		f, err := strconv.ParseFloat(strings.TrimSpace(m[1]), 64)
		if err != nil {
			return 0, err
		}
		sum += f
	}
	if len(found) != 2 {
		return 0, fmt.Errorf("INFO cpu names %d of used_cpu_sys and used_cpu_user", len(found))
	}
	return time.Duration(sum * float64(time.Second)), nil
}

// dialRedis connects, and waits for a server that is just starting.
func dialRedis(ctx context.Context, addr string) (rueidis.Client, error) {
	for {
		client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{addr}, DisableCache: true, ForceSingleClient: true})
		if err == nil {
			return client, nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return nil, errors.Join(err, ctx.Err())
		}
	}
}

// newRedis is a cache-aside client: rueidis, which pipelines by itself.
func newRedis(ctx context.Context, s spec) (*system, error) {
	client, err := dialRedis(ctx, s.Addr)
	if err != nil {
		return nil, err
	}
	from := &origin{delay: s.LoadDelay}
	return &system{
		get: func(ctx context.Context, key string) (int, error) {
			v, err := client.Do(ctx, client.B().Get().Key(key).Build()).AsBytes()
			if rueidis.IsRedisNil(err) {
				if v, err = from.load(ctx, key); err == nil {
					err = client.Do(ctx, client.B().Set().Key(key).Value(rueidis.BinaryString(v)).Build()).Error()
				}
			}
			return len(v), err
		},
		loads: from.calls.Load,
		close: client.Close,
	}, nil
}
