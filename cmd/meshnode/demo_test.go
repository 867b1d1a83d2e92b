package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestTheDemoHasNoErrorsAndSaysWhatHappened(t *testing.T) {
	dir := t.TempDir()
	for i := range 50 {
		name := filepath.Join(dir, strings.Repeat("x", i+1))
		if err := os.WriteFile(name, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	r := meshnode(t, "demo", "--dir", dir, "--duration", "2s", "--readers", "50", "--latency", "5ms")
	if r.code != exitOK || r.err != "" {
		t.Fatalf("exit %d\n%s\n%s", r.code, r.out, r.err)
	}
	for _, want := range []string{
		`50 files in `, `invalidated x+, the most popular file`, `n\d killed without warning: it owned that file and \d+ more`, `n5 joined`,
		`(?m)^all +[\d,]+ `, `(?m)^loads +\d+ for 50 files`, `, 0 outdated`, `(?m)^errors +0$`,
	} {
		if !regexp.MustCompile(want).MatchString(r.out) {
			t.Errorf("no %s in\n%s", want, r.out)
		}
	}
	if took := time.Since(began); took > 2*time.Second+demoOverrun {
		t.Errorf("it took %v", took)
	}
}

func TestTheDemoFailsWhenAReadIsOutdatedOrFails(t *testing.T) {
	for name, spoil := range map[string]func(*tally){
		"outdated": func(t *tally) { t.outdated = 1 },
		"failed":   func(t *tally) { t.errors, t.firstErr = 1, context.DeadlineExceeded },
	} {
		bad := &tally{}
		spoil(bad)
		d := &demo{out: &strings.Builder{}, origin: &demoOrigin{}, tallies: []*tally{{}, bad}}
		if err := d.report(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheDemoFailsWhenItsReportCannotBeWritten(t *testing.T) {
	pr, pw := io.Pipe()
	pr.CloseWithError(io.ErrShortWrite)
	d := &demo{out: pw, origin: &demoOrigin{}, tallies: []*tally{{}}}
	if err := d.report(); !errors.Is(err, io.ErrShortWrite) {
		t.Error(err)
	}
}

func TestTheDemoNoticesAnOutdatedRead(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("data"), 0o644); err != nil {
		t.Fatal(err)
	}
	origin, err := newDemoOrigin(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer origin.close()
	d := &demo{out: &strings.Builder{}, origin: origin, floors: newFloors()}
	defer d.leave()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := d.start(ctx); err != nil {
		t.Fatal(err)
	}
	var seen tally
	m := d.members[0]
	d.readOne(m, "a", &seen)
	d.floors.raise("a", origin.now()) // as if an Invalidate had been forgotten
	d.readOne(m, "a", &seen)
	if seen.errors != 0 || seen.checked != 1 || seen.outdated != 1 {
		t.Fatalf("%d errors (%v), %d of %d outdated, want 1 of 1", seen.errors, seen.firstErr, seen.outdated, seen.checked)
	}
	called := origin.now()
	if err := m.cache.Invalidate(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	d.floors.raise("a", called)
	d.readOne(m, "a", &seen)
	if seen.errors != 0 || seen.checked != 2 || seen.outdated != 1 {
		t.Errorf("after an Invalidate %d of %d are outdated, want 1 of 2", seen.outdated, seen.checked)
	}
}

func TestAStampedValueIsRefusedForAnotherKeyAndWhenCut(t *testing.T) {
	v := stamp{7, time.Second}.put("a", []byte("data"))
	if s, err := readStamp("a", v); err != nil || s != (stamp{7, time.Second}) {
		t.Errorf("%v, %v", s, err)
	}
	if _, err := readStamp("b", v); err == nil {
		t.Error("it passes for another key's")
	}
	for n := range v {
		if _, err := readStamp("a", v[:n]); err == nil {
			t.Errorf("its first %d bytes pass for it", n)
		}
	}
}

func TestFilesOfVersionControlAndLargeOnesAreLeftOut(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "sub/b", ".git/config", "sub/.git/x"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "large"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, "large"), demoMaxFile+1); err != nil {
		t.Fatal(err)
	}
	os.Symlink("/etc/passwd", filepath.Join(dir, "link"))
	files, err := findFiles(dir)
	if err != nil || len(files.keys) != 2 || files.skipped != 1 || files.bytes != 2 {
		t.Errorf("%+v, %v", files, err)
	}
}
