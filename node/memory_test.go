package node

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/mesh"
)

// The tests of this file change the memory limit of the test's process, one
// after the other: none is parallel.

const mib = 1 << 20

// setLimit sets the runtime's limit as somebody else than a node would, until
// the end of the test. math.MaxInt64 is none.
func setLimit(t *testing.T, limit int64) {
	t.Helper()
	before := debug.SetMemoryLimit(limit)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
}

func wantLimit(t *testing.T, when string, want int64) {
	t.Helper()
	if got := debug.SetMemoryLimit(-1); got != want {
		t.Errorf("%s: the memory limit is %s, want %s", when, formatSize(got), formatSize(want))
	}
}

func leave(t *testing.T, n *Node) {
	t.Helper()
	if err := n.Leave(t.Context()); err != nil {
		t.Error(err)
	}
}

// withCache is a configuration with one cache, of budget bytes and no replicas.
func withCache(budget int64) Config {
	cfg := embedded
	cfg.Caches = []CacheSpec{{Name: "c", Origin: "synthetic:10", Options: mesh.Options{MaxBytes: budget, ReplicaBytes: -1}}}
	return cfg
}

func TestTheAutomaticMemoryLimitIsThatOfTheBudgetsAndARest(t *testing.T) {
	for name, c := range map[string]struct {
		caches        []mesh.Options
		budget, limit int64
	}{
		"defaults":            {[]mesh.Options{{}}, 72 * mib, 154 * mib}, // 90 and 64
		"replicas by default": {[]mesh.Options{{MaxBytes: 800 * mib}}, 900 * mib, 1189 * mib},
		"replicas":            {[]mesh.Options{{MaxBytes: 100 * mib, ReplicaBytes: 50 * mib}}, 150 * mib, 251 * mib},
		"replicas alone set":  {[]mesh.Options{{ReplicaBytes: 36 * mib}}, 100 * mib, 189 * mib},
		"no replicas":         {[]mesh.Options{{MaxBytes: 100 * mib, ReplicaBytes: -1}}, 100 * mib, 189 * mib},
		"no replicas, still":  {[]mesh.Options{{MaxBytes: 100 * mib, ReplicaBytes: math.MinInt64}}, 100 * mib, 189 * mib},
		"three":               {[]mesh.Options{{}, {ReplicaBytes: -1}, {MaxBytes: 32 * mib, ReplicaBytes: 32 * mib}}, 200 * mib, 314 * mib},
		"small":               {[]mesh.Options{{MaxBytes: 64 << 10, ReplicaBytes: -1}}, 64 << 10, 64 * mib},
		"endless":             {[]mesh.Options{{MaxBytes: math.MaxInt64}, {MaxBytes: math.MaxInt64}}, mostMemory, mostMemory/4*5 + 64*mib},
	} {
		var cfg Config
		for i, o := range c.caches {
			cfg.Caches = append(cfg.Caches, CacheSpec{Name: fmt.Sprint(i), Options: o})
		}
		budget := cfg.budget()
		if limit := automaticLimit(budget); budget != c.budget || limit-c.limit > mib || c.limit-limit > mib || limit%mib != 0 {
			t.Errorf("%s: a budget of %s and a limit of %s, want %s and %s", name,
				formatSize(budget), formatSize(limit), formatSize(c.budget), formatSize(c.limit))
		}
	}
}

func TestMemoryLimitsAsTheyAreWritten(t *testing.T) {
	for s, want := range map[string]int64{"": 0, "auto": 0, "off": NoMemoryLimit, "OFF": NoMemoryLimit, "512MiB": 512 * mib, "1GB": 1e9} {
		if got, err := ParseMemoryLimit(s); err != nil || got != want {
			t.Errorf("%q: %d, %v, want %d", s, got, err, want)
		}
	}
	for _, s := range []string{"0", "0MiB", "-1", "512M", "none", "1.5GiB"} {
		if got, err := ParseMemoryLimit(s); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "auto") || !strings.Contains(err.Error(), "off") {
			t.Errorf("%q: %d, %v, want an ErrConfig that says what is right", s, got, err)
		}
	}
}

func TestAMemoryLimitBelowTheBudgetsIsRefused(t *testing.T) {
	setLimit(t, math.MaxInt64)
	cfg := withCache(100 * mib)
	cfg.Caches = append(cfg.Caches, CacheSpec{Name: "d", Origin: "synthetic:10"})
	cfg.Logger, cfg.MemoryLimit = quiet, 172*mib-1
	_, err := Start(t.Context(), cfg)
	if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "memory limit 180355071B") || !strings.Contains(err.Error(), "at least the 172MiB") {
		t.Errorf("got %v", err)
	}
	cfg.MemoryLimit++
	if _, err := cfg.withDefaults(); err != nil {
		t.Errorf("a limit of all that the caches may take: %v", err)
	}
	wantLimit(t, "refused", math.MaxInt64)
}

func TestANodeLimitsTheMemoryOfItsProcessUntilItHasLeft(t *testing.T) {
	const operators = 3000 * mib
	for name, c := range map[string]struct {
		before   int64 // of the runtime
		setting  int64
		noCaches bool
		want     int64
		log      string
	}{
		"automatic":                     {before: math.MaxInt64, want: 189 * mib, log: "limit=189MiB caches=100MiB"},
		"automatic without caches":      {before: math.MaxInt64, noCaches: true, want: math.MaxInt64},
		"automatic after the operator":  {before: operators, want: operators, log: "is set already, and stays\" limit=3000MiB"},
		"one that is asked for":         {before: math.MaxInt64, setting: 150 * mib, want: 150 * mib, log: "limit=150MiB caches=100MiB"},
		"that one without caches":       {before: math.MaxInt64, setting: 150 * mib, noCaches: true, want: 150 * mib, log: "limit=150MiB caches=0B"},
		"that one after the operator":   {before: operators, setting: 150 * mib, want: 150 * mib, log: "limit=150MiB"},
		"that one, above the operators": {before: 120 * mib, setting: 150 * mib, want: 150 * mib, log: "limit=150MiB"},
		"off":                           {before: math.MaxInt64, setting: NoMemoryLimit, want: math.MaxInt64},
		"off after the operator":        {before: operators, setting: NoMemoryLimit, want: operators},
	} {
		t.Run(name, func(t *testing.T) {
			setLimit(t, c.before)
			var log bytes.Buffer
			cfg := withCache(100 * mib)
			if c.noCaches {
				cfg.Caches = nil
			}
			cfg.MemoryLimit = c.setting
			cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
			n := start(t, cfg)
			wantLimit(t, "started", c.want)
			leave(t, n)
			wantLimit(t, "after Leave", c.before)
			leave(t, n)
			wantLimit(t, "after a second Leave", c.before)
			if said := log.String(); !strings.Contains(said, c.log) || c.log == "" && strings.Contains(said, "memory limit") {
				t.Errorf("the log is %q, want %q", said, c.log)
			}
		})
	}
}

func TestTheMemoryLimitsOfNodesInOneProcessAddUp(t *testing.T) {
	setLimit(t, math.MaxInt64)
	first := start(t, withCache(100*mib))
	wantLimit(t, "one node", 189*mib)
	large := withCache(1000 * mib)
	large.NATS, large.Embed = first.URL(), false
	second := start(t, large)
	wantLimit(t, "two nodes", (189+1314)*mib)
	third := large
	third.MemoryLimit = 1100 * mib
	asked := start(t, third)
	wantLimit(t, "three nodes", (189+1314+1100)*mib)
	third.MemoryLimit = NoMemoryLimit
	off := start(t, third)
	wantLimit(t, "one that sets none beside them", (189+1314+1100)*mib)
	leave(t, off)
	leave(t, second)
	wantLimit(t, "the second has left", (189+1100)*mib)
	leave(t, asked)
	wantLimit(t, "the first remains", 189*mib)
	leave(t, first)
	wantLimit(t, "none remains", math.MaxInt64)
	again := start(t, withCache(100*mib))
	wantLimit(t, "another node later", 189*mib)
	leave(t, again)
	wantLimit(t, "that one has left", math.MaxInt64)
}

func TestAMemoryLimitThatTheProgramSetsBesideANodeStays(t *testing.T) {
	setLimit(t, math.MaxInt64)
	first := start(t, withCache(100*mib))
	debug.SetMemoryLimit(5000 * mib)
	beside := withCache(100 * mib)
	beside.NATS, beside.Embed = first.URL(), false
	second := start(t, beside)
	wantLimit(t, "an automatic one after it", 5000*mib)
	leave(t, second)
	beside.MemoryLimit = 300 * mib
	third := start(t, beside)
	wantLimit(t, "one that is asked for", (189+300)*mib)
	leave(t, third)
	wantLimit(t, "one node left", 189*mib)
	leave(t, first)
	wantLimit(t, "no node left", 5000*mib)

	debug.SetMemoryLimit(math.MaxInt64)
	alone := start(t, withCache(100*mib))
	debug.SetMemoryLimit(6000 * mib)
	leave(t, alone)
	wantLimit(t, "set beside the last node", 6000*mib)
}

func TestAStartThatFailsRestoresTheMemoryLimit(t *testing.T) {
	setLimit(t, math.MaxInt64)
	cfg := embedded
	cfg.ID = "one"
	first := start(t, cfg)
	taken := withCache(100 * mib)
	taken.NATS, taken.Embed, taken.ID, taken.Heartbeat, taken.Logger = first.URL(), false, "one", 50*time.Millisecond, quiet
	if _, err := Start(t.Context(), taken); !errors.Is(err, mesh.ErrIDTaken) {
		t.Errorf("got %v", err)
	}
	wantLimit(t, "after the failed start", math.MaxInt64)
}

func TestSizesAreWrittenAsTheyAreRead(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0B", 1: "1B", 1000: "1000B", 1 << 10: "1KiB", 1536: "1536B", 3 << 10: "3KiB", 1<<20 + 1: "1048577B",
		164 * mib: "164MiB", 1 << 30: "1GiB", 1536 * mib: "1536MiB", 1 << 40: "1024GiB", math.MaxInt64: "9223372036854775807B",
	} {
		got := formatSize(n)
		if back, err := ParseSize(got); got != want || back != n || err != nil {
			t.Errorf("%d is written %s and read as %d, %v, want %s", n, got, back, err, want)
		}
	}
}
