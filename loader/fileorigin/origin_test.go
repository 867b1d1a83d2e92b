package fileorigin

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/loader"
)

// open returns an origin of a fresh directory with the files.
func open(t *testing.T, opts Options, files map[string]string) (*Origin, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "files")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		write(t, filepath.Join(dir, name), text)
	}
	o, err := New(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Close() })
	return o, dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func load(t *testing.T, o *Origin, key string) (loader.Item[[]byte], error) {
	t.Helper()
	return o.Load(t.Context(), loader.Request[[]byte]{Key: key})
}

func TestFilesAreLoadedByTheirPaths(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", 100_000) // several chunks
	files := map[string]string{"a.txt": "A", "css/deep/er.css": "B", "with space": "C", "empty": "", "-*?>.x": "D", "big": big, "..a": "E", "\xff": "F"}
	o, _ := open(t, Options{}, files)
	for key, want := range files {
		item, err := load(t, o, key)
		if err != nil || string(item.Value) != want || item.Value == nil {
			t.Errorf("%q: %d bytes, %v", key, len(item.Value), err)
		}
		if item.ETag == "" || item.NotModified || item.NoStore || item.TTL != 0 {
			t.Errorf("%q: %+v", key, item)
		}
	}
}

func TestABadKeyIsNotFoundAndNamesTheRule(t *testing.T) {
	o, dir := open(t, Options{}, map[string]string{"a": "A", "d/b": "B"})
	write(t, filepath.Join(dir, "..", "secret"), "secret")
	for key, rule := range map[string]string{
		"":                         "empty",
		"/a":                       "leading slash",
		"/etc/passwd":              "leading slash",
		"..":                       `".."`,
		"../secret":                `".."`,
		"d/../../secret":           `".."`,
		"d/../a":                   `".."`,
		"./a":                      `"."`,
		"d/.":                      `"."`,
		"d//b":                     "double",
		"d/":                       "trailing slash",
		"a\x00":                    "NUL",
		"../secret\x00":            "NUL",
		strings.Repeat("../", 500): `".."`,
	} {
		item, err := load(t, o, key)
		var bad *KeyError
		if !errors.As(err, &bad) || bad.Key != key || !strings.Contains(bad.Rule, rule) || !errors.Is(err, loader.ErrNotFound) {
			t.Errorf("%q: %v", key, err)
		}
		if item.Value != nil {
			t.Errorf("%q: value %q", key, item.Value)
		}
	}
}

func TestWhatIsNotThereIsNotFound(t *testing.T) {
	o, _ := open(t, Options{}, map[string]string{"a": "A", "d/b": "B"})
	for _, key := range []string{
		"b", "d/c", "x/y/z", "d", "a/b", "D/B", strings.Repeat("n", 300), strings.Repeat("n/", 5000) + "n", strings.Repeat("k", 65536),
	} {
		if _, err := load(t, o, key); !errors.Is(err, loader.ErrNotFound) {
			t.Errorf("%.40q: %v", key, err)
		}
	}
	if _, err := load(t, o, "d"); err == nil || !strings.Contains(err.Error(), "directory") {
		t.Errorf("a directory: %v", err)
	}
}

func TestAnUnchangedFileIsNotModified(t *testing.T) {
	o, dir := open(t, Options{}, map[string]string{"a": "one"})
	first, err := load(t, o, "a")
	if err != nil {
		t.Fatal(err)
	}
	again := loader.Request[[]byte]{Key: "a", Prev: &first}
	item, err := o.Load(t.Context(), again)
	if err != nil || !item.NotModified || item.ETag != first.ETag {
		t.Fatalf("unchanged: %+v, %v", item, err)
	}
	path := filepath.Join(dir, "a")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}

	write(t, path, "longer")
	if err := os.Chtimes(path, time.Time{}, info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if item, err := o.Load(t.Context(), again); err != nil || item.NotModified || string(item.Value) != "longer" || item.ETag == first.ETag {
		t.Errorf("another size: %+v, %v", item, err)
	}

	write(t, path, "two")
	if err := os.Chtimes(path, time.Time{}, info.ModTime().Add(time.Microsecond)); err != nil {
		t.Fatal(err)
	}
	if item, err := o.Load(t.Context(), again); err != nil || item.NotModified || string(item.Value) != "two" || item.ETag == first.ETag {
		t.Errorf("another time: %+v, %v", item, err)
	}

	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Load(t.Context(), again); !errors.Is(err, loader.ErrNotFound) {
		t.Errorf("removed: %v", err)
	}
}

func TestALargerFileThanTheLimitIsAnErrorThatNamesBothSizes(t *testing.T) {
	o, _ := open(t, Options{MaxBytes: 10}, map[string]string{"fits": "0123456789", "not": "0123456789a"})
	if item, err := load(t, o, "fits"); err != nil || len(item.Value) != 10 {
		t.Errorf("fits: %v", err)
	}
	_, err := load(t, o, "not")
	if !errors.Is(err, ErrTooLarge) || errors.Is(err, loader.ErrNotFound) || !strings.Contains(err.Error(), "11 bytes, the limit is 10") {
		t.Errorf("error %v", err)
	}
}

// meddler is a context that does something whenever a load looks at it, which it
// does between chunks.
type meddler struct {
	context.Context
	look func()
}

func (m meddler) Err() error {
	m.look()
	return m.Context.Err()
}

func TestAFileThatChangesWhileItIsReadIsReadAgain(t *testing.T) {
	o, dir := open(t, Options{}, map[string]string{"a": strings.Repeat("a", 3*chunk)})
	path := filepath.Join(dir, "a")
	for name, change := range map[string]func(){
		"grown":     func() { write(t, path, strings.Repeat("b", 4*chunk)) },
		"shorter":   func() { write(t, path, "c") },
		"same size": func() { write(t, path, strings.Repeat("d", 3*chunk)) },
	} {
		write(t, path, strings.Repeat("a", 3*chunk))
		past := time.Now().Add(-time.Hour)
		if err := os.Chtimes(path, past, past); err != nil {
			t.Fatal(err)
		}
		looks := 0
		ctx := meddler{t.Context(), func() {
			if looks++; looks == 3 { // in the middle of the first attempt
				change()
			}
		}}
		item, err := o.Load(ctx, loader.Request[[]byte]{Key: "a"})
		want, _ := os.ReadFile(path)
		if err != nil || looks < 3 || !bytes.Equal(item.Value, want) {
			t.Errorf("%s: %d bytes, %v", name, len(item.Value), err)
		}
	}
}

func TestAFileThatNeverRestsIsAnError(t *testing.T) {
	o, dir := open(t, Options{}, map[string]string{"a": strings.Repeat("a", 3*chunk)})
	f, err := os.OpenFile(filepath.Join(dir, "a"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ctx := meddler{t.Context(), func() { f.WriteString("x") }}
	if _, err := o.Load(ctx, loader.Request[[]byte]{Key: "a"}); !errors.Is(err, ErrChanging) {
		t.Fatalf("error %v", err)
	}
}

func TestALoadEndsWithItsContext(t *testing.T) {
	o, _ := open(t, Options{}, map[string]string{"a": strings.Repeat("a", 3*chunk)})
	why := errors.New("why")
	inner, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	looks := 0
	ctx := meddler{inner, func() {
		if looks++; looks == 3 {
			cancel(why)
		}
	}}
	if _, err := o.Load(ctx, loader.Request[[]byte]{Key: "a"}); err != why {
		t.Errorf("between chunks: %v", err)
	}
	if _, err := o.Load(inner, loader.Request[[]byte]{Key: "a"}); err != why {
		t.Errorf("at once: %v", err)
	}
}

func TestNewRefusesWhatIsNoDirectory(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"), "x")
	for _, tc := range []struct {
		dir, want string
		opts      Options
	}{
		{"", "directory is empty", Options{}},
		{filepath.Join(dir, "none"), "no such file", Options{}},
		{filepath.Join(dir, "file"), "is not a directory", Options{}},
		{dir, "MaxBytes is -1: it must be positive", Options{MaxBytes: -1}},
	} {
		o, err := New(tc.dir, tc.opts)
		if o != nil || err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("New(%q, %+v): %v", tc.dir, tc.opts, err)
		}
	}
}

func TestAClosedOriginLoadsNothing(t *testing.T) {
	o, _ := open(t, Options{}, map[string]string{"a": "A"})
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	if err := o.Close(); err != nil {
		t.Errorf("again: %v", err)
	}
	if _, err := load(t, o, "a"); err != ErrClosed {
		t.Errorf("error %v", err)
	}
}
