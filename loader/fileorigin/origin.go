package fileorigin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"

	"github.com/cachemesh/cachemesh/loader"
)

// DefaultMaxBytes is the default of Options.MaxBytes: 64 MiB.
const DefaultMaxBytes = 64 << 20

// Options say how files are loaded. The zero value is ready.
type Options struct {
	// MaxBytes is the size of the largest file that is loaded; larger ones are
	// ErrTooLarge. Default DefaultMaxBytes.
	MaxBytes int64
}

// Origin is a loader.Loader of the files of one directory. It is safe for
// concurrent use.
type Origin struct {
	// root holds the directory open: it stays the same one if it is renamed,
	// and one that takes its name later is another.
	root     *os.Root
	maxBytes int64
	closed   atomic.Bool
}

var _ loader.Loader[[]byte] = (*Origin)(nil)

// New returns the origin of a directory, which must exist.
func New(dir string, opts Options) (*Origin, error) {
	switch {
	case dir == "":
		return nil, errors.New("fileorigin: the directory is empty: name one, such as \".\"")
	case opts.MaxBytes < 0:
		return nil, fmt.Errorf("fileorigin: MaxBytes is %d: it must be positive, or 0 for %d", opts.MaxBytes, DefaultMaxBytes)
	case opts.MaxBytes == 0:
		opts.MaxBytes = DefaultMaxBytes
	}
	// Asked first, so that naming a pipe by mistake does not block in OpenRoot.
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("fileorigin: the directory: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("fileorigin: %q is not a directory", dir)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("fileorigin: the directory: %w", err)
	}
	return &Origin{root: root, maxBytes: opts.MaxBytes}, nil
}

// Close releases the directory. Loads that have begun may finish; later ones are
// ErrClosed. Closing again does nothing.
func (o *Origin) Close() error {
	if o.closed.Swap(true) {
		return nil
	}
	return o.root.Close()
}

// Load reads the file that the key names. If its ETag is that of req.Prev, it is
// not read, and the item says NotModified. Keys that name no regular file are
// loader.ErrNotFound; malformed ones and those that lead outside the directory
// are a *KeyError, which is loader.ErrNotFound too.
func (o *Origin) Load(ctx context.Context, req loader.Request[[]byte]) (loader.Item[[]byte], error) {
	var none loader.Item[[]byte]
	if ctx.Err() != nil {
		return none, context.Cause(ctx)
	}
	if o.closed.Load() {
		return none, ErrClosed
	}
	if err := check(req.Key); err != nil {
		return none, err
	}
	// Asked before it is opened: opening a device may do something to it.
	info, err := o.root.Stat(req.Key)
	if err != nil {
		return none, o.explain(req.Key, err)
	}
	if err := o.loadable(req.Key, info); err != nil {
		return none, err
	}
	if tag := etag(info); req.Prev != nil && req.Prev.ETag == tag {
		return loader.Item[[]byte]{NotModified: true, ETag: tag}, nil
	}
	value, info, err := o.read(ctx, req.Key)
	if err != nil {
		return none, err
	}
	return loader.Item[[]byte]{Value: value, ETag: etag(info)}, nil
}

// loadable returns an error unless the file is regular and small enough.
func (o *Origin) loadable(key string, info fs.FileInfo) error {
	switch {
	case info.IsDir():
		return fmt.Errorf("fileorigin: %s is a directory: %w", quoted(key), loader.ErrNotFound)
	case !info.Mode().IsRegular():
		return fmt.Errorf("fileorigin: %s is not a regular file: %w", quoted(key), loader.ErrNotFound)
	case info.Size() > o.maxBytes:
		return o.tooLarge(key, info.Size())
	}
	return nil
}

func (o *Origin) tooLarge(key string, size int64) error {
	return fmt.Errorf("%w: %s has %d bytes, the limit is %d", ErrTooLarge, quoted(key), size, o.maxBytes)
}

// explain turns an error of the file system into one about the key.
func (o *Origin) explain(key string, err error) error {
	var number syscall.Errno
	switch {
	case errors.Is(err, os.ErrClosed):
		return ErrClosed
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ENAMETOOLONG):
		return fmt.Errorf("fileorigin: %s: %w", quoted(key), loader.ErrNotFound)
	case !errors.As(err, &number):
		// Not the system's refusal but that of os.Root, which exports no error for it.
		return &KeyError{Key: key, Rule: "a key must not lead outside the directory, by symbolic links neither"}
	}
	return fmt.Errorf("fileorigin: %w", err)
}

// etag identifies what the file holds by its size and modification time.
func etag(info fs.FileInfo) string {
	return `"` + strconv.FormatInt(info.Size(), 36) + "-" + strconv.FormatInt(info.ModTime().UnixNano(), 36) + `"`
}
