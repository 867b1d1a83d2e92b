package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"
)

// startLimit bounds the start of a worker's system.
const startLimit = 20 * time.Second

// worker is what a process does that was started to play a part: it makes its
// system, says so, then answers one command a line until it is told to stop or
// its input ends. An input that ends in the middle of a command ends the process
// too, so that no worker outlives who started it.
func worker(text string, in io.Reader, out io.Writer) error {
	enc := json.NewEncoder(out)
	fail := func(err error) error { return enc.Encode(reply{Err: err.Error()}) }
	var s spec
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return fail(fmt.Errorf("spec of a worker: %w", err))
	}
	make, ok := systems[s.System]
	if !ok {
		return fail(fmt.Errorf("no system is named %q", s.System))
	}
	if s.MemoryLimit > 0 {
		debug.SetMemoryLimit(s.MemoryLimit)
	}
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	sys, err := make(ctx, s)
	cancel()
	if err != nil {
		return fail(err)
	}
	if sys.close != nil {
		defer sys.close()
	}
	if err := enc.Encode(reply{Addr: sys.addr}); err != nil {
		return err
	}
	commands := readCommands(in)
	for c := range commands {
		if c.Do == "stop" {
			return nil
		}
		r, err := obey(sys, c)
		if err != nil {
			r.Err = err.Error()
		}
		if err := enc.Encode(r); err != nil {
			return err
		}
	}
	return nil
}

// readCommands reads ahead, so that the end of the input is seen at once.
func readCommands(in io.Reader) <-chan command {
	out := make(chan command, 16)
	go func() {
		defer close(out)
		dec := json.NewDecoder(bufio.NewReader(in))
		for {
			var c command
			if err := dec.Decode(&c); err != nil {
				// What is under way may not end by itself.
				time.AfterFunc(2*time.Second, func() { os.Exit(1) })
				return
			}
			out <- c
		}
	}()
	return out
}

// obey does one command, with a bound of its own beside the asker's.
func obey(s *system, c command) (reply, error) {
	do, ok := drives[c.Do]
	if !ok {
		return reply{}, fmt.Errorf("no command is named %q", c.Do)
	}
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	return do(ctx, s, c)
}
