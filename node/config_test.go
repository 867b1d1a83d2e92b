package node

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// quiet is a logger for tests that look at errors alone.
var quiet = slog.New(slog.DiscardHandler)

func TestABadConfigIsRefusedBeforeAnythingStarts(t *testing.T) {
	files := CacheSpec{Name: "docs", Origin: "file:."}
	for name, c := range map[string]struct {
		cfg  Config
		want string
	}{
		"mesh":        {Config{Mesh: "a.b"}, `mesh name "a.b"`},
		"id":          {Config{ID: "a b"}, `member ID "a b"`},
		"weight":      {Config{Weight: 101}, "weight 101: it must be 1 to 100"},
		"heartbeat":   {Config{Heartbeat: time.Millisecond}, "heartbeat 1ms: it must be 10ms to 1m"},
		"lease":       {Config{Heartbeat: time.Second, Lease: 2 * time.Second}, "lease 2s: it must be at least three heartbeats"},
		"memory":      {Config{MemoryLimit: -2}, "memory limit -2: it must be positive, 0"},
		"long lease":  {Config{Lease: time.Hour}, "lease 1h0m0s: it must be at most 10m0s"},
		"short lease": {Config{Lease: time.Second}, "which are 3s"},
		"creds":       {Config{Creds: filepath.Join(t.TempDir(), "none")}, "credentials:"},
		"http":        {Config{HTTP: "here"}, `HTTP address "here": write host:port or a port`},
		"http port":   {Config{HTTP: ":70000"}, "HTTP address"},
		"embed":       {Config{Embed: true, EmbedAddr: "4222"}, `address of the embedded NATS "4222": write host:port`},
		"NATS":        {Config{NATS: "nats://:port"}, "NATS URL"},
		"NATS scheme": {Config{NATS: "nats://a:4222, bogus://x"}, "bogus://x"},
		"NATS colons": {Config{NATS: "::::"}, "NATS URL"},
		"NATS host":   {Config{NATS: "nats://"}, "names no host"},
		"twice":       {Config{Caches: []CacheSpec{files, files}}, `cache "docs" is there twice`},
		"origin":      {Config{Caches: []CacheSpec{{Name: "docs"}}}, "no origin"},
		"reader":      {Config{Reader: true, Caches: []CacheSpec{files}}, "a reader loads nothing"},
		"cache name":  {Config{Caches: []CacheSpec{{Name: "*", Origin: "file:."}}}, `cache name "*"`},
	} {
		t.Run(name, func(t *testing.T) {
			c.cfg.Logger = quiet
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			_, err := Start(ctx, c.cfg)
			if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an ErrConfig with %q", err, c.want)
			}
		})
	}
}

func TestAPortAloneListensOnLoopback(t *testing.T) {
	for s, want := range map[string]string{
		"8080": "127.0.0.1:8080", ":8080": "127.0.0.1:8080", "0.0.0.0:80": "0.0.0.0:80",
		"localhost:0": "localhost:0", "[::1]:9": "[::1]:9", "[::]:9": "[::]:9",
	} {
		if got, err := listenAddr(s); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", s, got, err, want)
		}
	}
}

func TestWithoutNATSTheErrorNamesTheURL(t *testing.T) {
	url := "nats://me:secret@" + freeAddr(t)
	_, err := Start(t.Context(), Config{NATS: url, Logger: quiet})
	if !errors.Is(err, ErrNoNATS) || !strings.Contains(err.Error(), strings.Replace(url, "secret", "xxxxx", 1)) {
		t.Errorf("got %v", err)
	}
}

func TestAStartEndsWithItsContext(t *testing.T) {
	// A listener that never speaks: a client would wait for its greeting.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err = Start(ctx, Config{NATS: "nats://" + l.Addr().String(), Logger: quiet})
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 2*time.Second {
		t.Errorf("got %v after %v", err, time.Since(began))
	}
}

func TestAnEmbeddedNATSWhereOneRunsIsRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = Start(t.Context(), Config{Embed: true, EmbedAddr: l.Addr().String(), Logger: quiet})
	if !errors.Is(err, ErrAddrInUse) || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("got %v", err)
	}
}

func TestATakenHTTPPortIsReportedBeforeTheNodeJoins(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = Start(t.Context(), Config{NATS: "nats://" + freeAddr(t), HTTP: l.Addr().String(), Logger: quiet})
	if err == nil || !strings.Contains(err.Error(), "another server listens on "+l.Addr().String()) {
		t.Errorf("got %v", err)
	}
}

func TestPasswordsAreNotShown(t *testing.T) {
	for url, want := range map[string]string{
		"nats://h:4222":                  "nats://h:4222",
		"nats://u:p@h:4222":              "nats://u:xxxxx@h:4222",
		"nats://u:p@h:4222,nats://v:q@i": "nats://u:xxxxx@h:4222,nats://v:xxxxx@i",
		"nats://token@h":                 "nats://xxxxx@h",
		"https://u:p@h/{key}":            "https://u:xxxxx@h/{key}",
		"https://h/a@b/{key}":            "https://h/a@b/{key}",
		"127.0.0.1":                      "127.0.0.1",
		"u:p@h":                          "xxxxx@h",
	} {
		if got := redacted(url); got != want {
			t.Errorf("%s is shown as %s, want %s", url, got, want)
		}
	}
}

// freeAddr is a loopback address where nothing listens.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestStartNeedsAContext(t *testing.T) {
	var none context.Context
	if n, err := Start(none, Config{}); n != nil || err == nil || !strings.Contains(err.Error(), "the context is nil") {
		t.Errorf("%v, %v", n, err)
	}
}
