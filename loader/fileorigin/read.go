package fileorigin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

const (
	// chunk is how much is read between two looks at the context.
	chunk = 256 << 10

	// A file that changes while it is read is read again, a few times, after a
	// pause that doubles from firstPause: 31 ms in all.
	attempts   = 6
	firstPause = time.Millisecond
)

// errChanged says that one attempt met a change.
var errChanged = errors.New("changed")

// read returns the bytes of the file, all of one moment, and what it was then.
func (o *Origin) read(ctx context.Context, key string) ([]byte, fs.FileInfo, error) {
	pause := firstPause
	for attempt := 1; ; attempt++ {
		value, info, err := o.readOnce(ctx, key)
		if err != errChanged {
			return value, info, err
		}
		if attempt == attempts {
			return nil, nil, fmt.Errorf("%w: %s, %d attempts", ErrChanging, quoted(key), attempts)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		}
		pause *= 2
	}
}

// readOnce reads one opened file, so that it does not matter if another takes
// its name meanwhile, and returns errChanged if the file itself changed.
func (o *Origin) readOnce(ctx context.Context, key string) ([]byte, fs.FileInfo, error) {
	// Without O_NONBLOCK a pipe that has just taken the name would block.
	f, err := o.root.OpenFile(key, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, o.explain(key, err)
	}
	defer f.Close()
	before, err := f.Stat()
	if err != nil {
		return nil, nil, o.explain(key, err)
	}
	if err := o.loadable(key, before); err != nil {
		return nil, nil, err
	}
	value, err := readAll(ctx, f, before.Size())
	if err != nil {
		if ctx.Err() == nil && err != errChanged {
			err = fmt.Errorf("fileorigin: reading %s: %w", quoted(key), err)
		}
		return nil, nil, err
	}
	after, err := f.Stat()
	if err != nil {
		return nil, nil, o.explain(key, err)
	}
	if after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime()) {
		return nil, nil, errChanged
	}
	return value, before, nil
}

// readAll reads exactly size bytes, or returns errChanged.
func readAll(ctx context.Context, r io.Reader, size int64) ([]byte, error) {
	value := make([]byte, size)
	for rest := value; len(rest) > 0; {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		n, err := r.Read(rest[:min(len(rest), chunk)])
		rest = rest[n:]
		switch {
		case err == io.EOF && len(rest) > 0:
			return nil, errChanged // it has become shorter
		case err != nil && err != io.EOF:
			return nil, err
		}
	}
	return value, nil
}
