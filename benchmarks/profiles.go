package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"time"
)

// profile writes a CPU profile of this process, of gets if there are callers, else
// of whatever others ask of it meanwhile.
func profile(ctx context.Context, s *system, c command) (r reply, err error) {
	f, err := os.Create(c.File)
	if err != nil {
		return r, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return r, errors.Join(err, f.Close())
	}
	if c.Callers > 0 {
		r, err = closedLoop(ctx, s, c)
	} else {
		time.Sleep(c.For)
	}
	pprof.StopCPUProfile()
	return r, errors.Join(err, f.Close())
}

// profileRemote writes the profiles of the processes of a mesh under gets of 1 KiB
// by 64 callers: with the nats-server in a process of its own, and in the owner.
func profileRemote(ctx context.Context, p plan, folder string) error {
	folder, err := filepath.Abs(folder)
	if err == nil {
		err = os.MkdirAll(folder, 0o755)
	}
	if err != nil {
		return err
	}
	var f family
	defer f.stop()
	for _, kind := range []struct {
		name string
		open func(context.Context, *family) (contender, error)
	}{{"external", meshContender}, {"embedded", embeddedContender}} {
		c, err := kind.open(ctx, &f)
		if err != nil {
			return err
		}
		run := residents(load{64, 1 << 10}, "warm")
		if _, err := c.caller.ask(ctx, run); err != nil {
			return err
		}
		run.Do, run.For = "profile", pick(p, 10*time.Second, time.Second)
		roles := []struct {
			name string
			of   *child
		}{{"caller", c.caller}, {"owner", c.owner}, {"server", c.broker}}
		err = atOnce(len(roles), func(i int) error {
			if roles[i].of == nil {
				return nil
			}
			mine := run
			mine.File = filepath.Join(folder, kind.name+"-"+roles[i].name+".pprof")
			if roles[i].of != c.caller {
				mine.Callers = 0
			}
			r, err := roles[i].of.ask(ctx, mine)
			if err == nil && mine.Callers > 0 {
				p.note("%s: %.0f gets/s; go tool pprof -top %s", kind.name, float64(r.Gets)/r.Took.Seconds(), mine.File)
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}
