package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// machine is where a run was made and with what.
type machine struct {
	CPU      string
	Cores    int
	OS       string
	Go       string
	Load     string   // the load averages before the run; "" where unknown
	Date     string   // when the measurement began
	Commit   string   `json:",omitempty"` // of cachemesh; "" where unknown
	Versions []string // of what was measured
}

// measured are the modules whose versions a page names.
var measured = []string{
	"github.com/nats-io/nats.go", "github.com/nats-io/nats-server/v2", "github.com/golang/groupcache",
	"github.com/redis/rueidis", "github.com/dgraph-io/ristretto/v2", "github.com/maypok86/otter/v2",
	"github.com/viccon/sturdyc", "github.com/Yiling-J/theine-go",
}

func thisMachine() machine {
	m := machine{
		CPU:   "unknown CPU",
		Cores: runtime.NumCPU(),
		OS:    runtime.GOOS + "/" + runtime.GOARCH,
		Go:    runtime.Version(),
		Date:  time.Now().UTC().Format("2006-01-02 15:04 MST"),
	}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		m.CPU = cpuModel(string(text), m.CPU)
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.OS += ", kernel " + strings.TrimSpace(string(text))
	}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		if f := strings.Fields(string(text)); len(f) > 3 {
			m.Load = strings.Join(f[:3], " ")
		}
	}
	m.Commit = commit()
	if info, ok := debug.ReadBuildInfo(); ok {
		m.Versions = versions(info.Deps)
	}
	if out, err := exec.Command("redis-server", "--version").Output(); err == nil {
		for _, f := range strings.Fields(string(out)) {
			if v, ok := strings.CutPrefix(f, "v="); ok {
				m.Versions = append(m.Versions, "redis-server "+v)
			}
		}
	}
	return m
}

// cpuModel finds the first model name in the text of /proc/cpuinfo.
func cpuModel(text, otherwise string) string {
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return otherwise
}

func versions(deps []*debug.Module) (out []string) {
	for _, path := range measured {
		for _, d := range deps {
			if d.Path == path {
				out = append(out, strings.TrimPrefix(path, "github.com/")+" "+d.Version)
			}
		}
	}
	return out
}

// commit is what is checked out in the current folder.
func commit() string {
	head, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return ""
	}
	name := strings.TrimSpace(string(head))
	if changed, err := exec.Command("git", "status", "--porcelain", "--untracked-files=no", "--", "..").Output(); err == nil && codeChanged(string(changed)) {
		name += " with changes"
	}
	return name
}

// codeChanged tells whether git status names more than results.
func codeChanged(status string) bool {
	for line := range strings.Lines(status) {
		if name := strings.TrimSpace(line); strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "go.mod") {
			return true
		}
	}
	return false
}

// same tells whether both are the same machine with the same programs, at
// whatever time.
func (m machine) same(o machine) bool {
	return m.CPU == o.CPU && m.Cores == o.Cores && m.OS == o.OS && m.Go == o.Go && m.Commit == o.Commit && slices.Equal(m.Versions, o.Versions)
}

// title names the machine and what was measured on it.
func (m machine) title() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d processors, %s, %s", m.CPU, m.Cores, m.OS, m.Go)
	if m.Commit != "" {
		fmt.Fprintf(&b, "; cachemesh at %s", m.Commit)
	}
	if len(m.Versions) > 0 {
		fmt.Fprintf(&b, "; %s", strings.Join(m.Versions, ", "))
	}
	return b.String()
}
