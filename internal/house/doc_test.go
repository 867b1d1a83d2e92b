// Package house holds the project's rules about itself: which package may import
// which, that everything exported says what it promises, and that the programs in
// the README work. It has tests alone.
package house

import (
	"os"
	"path/filepath"
	"testing"
)

// module is the path of this project's module.
const module = "github.com/cachemesh/cachemesh"

// root is the directory of the module, above this package.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		t.Fatalf("%s is not the directory of the module: %v", dir, err)
	}
	return dir
}
