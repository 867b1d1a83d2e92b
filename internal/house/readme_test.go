package house

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/testenv"
)

// TestTheReadmesProgramsWork runs the programs in the README: each block of Go
// that is a whole file. Where one connects to NATS it gets a server of its own.
func TestTheReadmesProgramsWork(t *testing.T) {
	dir := root(t)
	text, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, block := range goBlocks(string(text)) {
		if !strings.HasPrefix(block, "package main") {
			continue
		}
		ran++
		program, output, ok := strings.Cut(block, "// Output: ")
		if !ok {
			t.Fatalf("the program does not say what it prints, in a last line \"// Output: \":\n%s", block)
		}
		// A test may use no server that happens to run on this machine.
		program = strings.ReplaceAll(program, "nats.DefaultURL", `"`+testenv.NATS(t).URL()+`"`)
		file := filepath.Join(t.TempDir(), "main.go")
		if err := os.WriteFile(file, []byte(program), 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
		defer cancel()
		cmd := exec.CommandContext(ctx, "go", "run", file)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOWORK=off")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		got, err := cmd.Output()
		if err != nil || strings.TrimSpace(string(got)) != strings.TrimSpace(output) {
			t.Errorf("it printed %q, want %q (%v)\n%s\n%s", got, output, err, stderr.Bytes(), program)
		}
	}
	if ran == 0 {
		t.Error("the README has no program")
	}
}

// goBlocks are the blocks of Go of a Markdown text.
func goBlocks(text string) (blocks []string) {
	for {
		_, rest, ok := strings.Cut(text, "\n```go\n")
		if !ok {
			return blocks
		}
		block, after, _ := strings.Cut(rest, "\n```")
		blocks = append(blocks, block)
		text = after
	}
}
