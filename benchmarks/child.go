package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"sync"
	"time"
)

// commandLimit bounds one command of a worker.
const commandLimit = 90 * time.Second

// workerArg is the first argument of a process that is a worker.
const workerArg = "worker"

// child is a worker process, seen from the one that started it. Its methods are
// for one goroutine at a time.
type child struct {
	spec spec
	addr string // where other workers reach it
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *json.Decoder
}

// start starts a worker and waits until its system is ready.
func start(ctx context.Context, s spec) (*child, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, workerArg, string(text))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &child{spec: s, cmd: cmd, in: in, out: json.NewDecoder(bufio.NewReader(out))}
	r, err := c.hear(ctx, startLimit+5*time.Second)
	if err != nil {
		c.stop()
		return nil, fmt.Errorf("start %s: %w", s.System, err)
	}
	c.addr = r.Addr
	return c, nil
}

// ask gives the worker a command and waits for what it has to say.
func (c *child) ask(ctx context.Context, cmd command) (reply, error) {
	if err := json.NewEncoder(c.in).Encode(cmd); err != nil {
		return reply{}, fmt.Errorf("%s %s: %w", c.spec.System, cmd.Do, err)
	}
	r, err := c.hear(ctx, commandLimit+5*time.Second)
	if err != nil {
		return r, fmt.Errorf("%s %s: %w", c.spec.System, cmd.Do, err)
	}
	return r, nil
}

// hear reads a reply. A worker that does not reply in time is ended.
func (c *child) hear(ctx context.Context, limit time.Duration) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = c.cmd.Process.Kill() })
	defer stop()
	var r reply
	if err := c.out.Decode(&r); err != nil {
		return r, errors.Join(err, ctx.Err())
	}
	if r.Err == errNoRedis.Error() {
		return r, errNoRedis
	}
	if r.Err != "" {
		return r, errors.New(r.Err)
	}
	return r, nil
}

// stop ends the worker: its input ends, and soon so does it.
func (c *child) stop() {
	_ = c.in.Close()
	kill := time.AfterFunc(3*time.Second, func() { _ = c.cmd.Process.Kill() })
	defer kill.Stop()
	_ = c.cmd.Wait()
}

// family is workers that are started and ended together.
type family struct {
	mu       sync.Mutex // guards children while they start
	children []*child
}

// add starts one more.
func (f *family) add(ctx context.Context, s spec) (*child, error) {
	c, err := start(ctx, s)
	if err == nil {
		f.mu.Lock()
		f.children = append(f.children, c)
		f.mu.Unlock()
	}
	return c, err
}

// addAll starts several at once.
func (f *family) addAll(ctx context.Context, specs []spec) ([]*child, error) {
	out := make([]*child, len(specs))
	err := atOnce(len(specs), func(i int) (err error) {
		out[i], err = f.add(ctx, specs[i])
		return err
	})
	return out, err
}

// stop ends all, the last first: servers were started before their clients.
func (f *family) stop() {
	for _, c := range slices.Backward(f.children) {
		_ = c.in.Close() // all at once: most end by themselves
	}
	for _, c := range slices.Backward(f.children) {
		c.stop()
	}
	f.children = nil
}

// askAll gives all of them the same command at once.
func askAll(ctx context.Context, children []*child, c command) ([]reply, error) {
	out := make([]reply, len(children))
	err := atOnce(len(children), func(i int) (err error) {
		mine := c
		mine.Seed += uint64(i) * 1_000_003
		out[i], err = children[i].ask(ctx, mine)
		return err
	})
	return out, err
}
