package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Roles of this program's processes, as its first argument.
const (
	roleMember = "member"
	roleServer = "server"
)

// childLimit is when a child ends itself, whatever became of the driver.
const childLimit = 5 * time.Minute

// process is a child: this program in another role. Its end is seen in gone.
type process struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  io.ReadCloser
	gone chan struct{} // closed when it has ended
	log  string        // the file of its standard error
}

// startProcess starts a child in a network namespace, "" for the one we are in. It dies with this process.
func startProcess(role, name, namespace, dir string, spec any) (*process, error) {
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := []string{self, role, string(text)}
	if namespace != "" {
		args = append([]string{"ip", "netns", "exec", namespace}, args...)
	}
	p := &process{cmd: exec.Command(args[0], args[1:]...), gone: make(chan struct{}), log: filepath.Join(dir, name+".log")}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.cmd.Stderr = log
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	// Not StdoutPipe: Wait would close it before all is read.
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer write.Close()
	p.out, p.cmd.Stdout = read, write
	if err := p.cmd.Start(); err != nil {
		_ = read.Close()
		return nil, fmt.Errorf("start %s %s: %w", role, name, err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.gone)
	}()
	return p, nil
}

func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// kill ends the process without warning, and returns when it has ended.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.gone
	_ = p.in.Close()
}

func (p *process) alive() bool {
	select {
	case <-p.gone:
		return false
	default:
		return true
	}
}

// sleep waits for d, or until ctx is done.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// until waits for a condition, limit at most.
func until(ctx context.Context, limit time.Duration, what string, condition func() bool) error {
	for end := time.Now().Add(limit); !condition(); {
		if time.Now().After(end) {
			return fmt.Errorf("not within %v: %s", limit, what)
		}
		if err := sleep(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}
