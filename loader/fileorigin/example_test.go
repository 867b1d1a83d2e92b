package fileorigin_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/loader/fileorigin"
)

func ExampleNew() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	os.WriteFile(filepath.Join(dir, "hello.txt"), []byte("hello"), 0o644)

	origin, err := fileorigin.New(dir, fileorigin.Options{MaxBytes: 1 << 20})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer origin.Close()
	ctx := context.Background()

	item, err := origin.Load(ctx, loader.Request[[]byte]{Key: "hello.txt"})
	fmt.Println(string(item.Value), err)

	again, err := origin.Load(ctx, loader.Request[[]byte]{Key: "hello.txt", Prev: &item})
	fmt.Println(again.NotModified, err)

	_, err = origin.Load(ctx, loader.Request[[]byte]{Key: "../secret"})
	fmt.Println(err)
	fmt.Println(errors.Is(err, loader.ErrNotFound))
	// Output:
	// hello <nil>
	// true <nil>
	// fileorigin: key "../secret": a key must not have "." or ".." as an element
	// true
}
