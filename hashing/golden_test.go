package hashing

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

const goldenFile = "testdata/owners.v1.txt"

var update = flag.Bool("update", false, "write "+goldenFile+" anew: only together with a new Version")

var goldenSets = [][]Member{
	{{"n1", 1}},
	{{"n1", 1}, {"n2", 1}},
	{{"n1", 1}, {"n2", 1}, {"n3", 1}},
	{{"node-1", 1}, {"node-2", 1}, {"node-3", 1}, {"node-4", 1}, {"node-5", 1}, {"node-6", 1}},
	{{"H2QRSGNMRtWjCpDNqFFGsW", 1}, {"tHXJ0Zqg2oD4ZyMuB1WMNd", 1}, {"Zg7a4BvS9n0uZoIqR0XbEe", 1}},
	{{"a", 1}, {"b", 2}, {"c", 3}},
	{{"small", 10}, {"large", 90}},
	{{"_", 2}, {"-", 2}, {"0", 2}},
}

// goldenKeys are keys of every kind, the longest being 65,536 bytes.
func goldenKeys() []string {
	keys := []string{"", "a", "0", " ", "42", "*", ">", "n1", "a#1", "users.42", "\x00", "\x00\x00", "\xff\xfe", "żółw", "日本",
		"path/to/some file.txt", "https://example.com/?q=1&r=2", strings.Repeat("x", 32), strings.Repeat("x", 33),
		strings.Repeat("key ", 250), strings.Repeat("0123456789abcdef", 4096)}
	for i := range 40 {
		keys = append(keys, fmt.Sprintf("user:%d", i*i))
	}
	return keys
}

// shortened lets the file name long keys by their beginning and length.
func shortened(key string) string {
	if len(key) <= 64 {
		return strconv.Quote(key)
	}
	return fmt.Sprintf("%q...%d", key[:16], len(key))
}

func goldenOwners() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Owners by hash version %d: a set with its weights, then each key with its owner.\n", Version)
	for _, ms := range goldenSets {
		b.WriteString("set")
		for _, m := range ms {
			fmt.Fprintf(&b, " %s:%d", m.ID, m.Weight)
		}
		b.WriteByte('\n')
		s := New(ms...)
		for _, key := range goldenKeys() {
			fmt.Fprintf(&b, "%s\t%s\n", s.Owner(key), shortened(key))
		}
	}
	return b.Bytes()
}

func TestOwnersAreFrozen(t *testing.T) {
	got := goldenOwners()
	if *update {
		if err := os.WriteFile(goldenFile, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(got, want) {
		return
	}
	g, w := bufio.NewScanner(bytes.NewReader(got)), bufio.NewScanner(bytes.NewReader(want))
	for line := 1; g.Scan() && w.Scan(); line++ {
		if g.Text() != w.Text() {
			t.Fatalf("%s:%d: %q, frozen as %q: members that hash differently disagree on owners", goldenFile, line, g.Text(), w.Text())
		}
	}
	t.Fatalf("%s: %d bytes, frozen %d", goldenFile, len(got), len(want))
}
