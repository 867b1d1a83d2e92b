package main

import (
	"os"
	"runtime"
	"strings"
	"time"
)

// machine is where a run was made.
type machine struct {
	CPU, OS, Go, Load, Date string
	Cores                   int
}

func thisMachine() machine {
	m := machine{CPU: "unknown CPU", OS: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version(), Load: "unknown",
		Date: time.Now().UTC().Format(time.DateOnly), Cores: runtime.NumCPU()}
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			m.CPU = strings.TrimSpace(value)
			break
		}
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.OS += ", kernel " + strings.TrimSpace(string(text))
	}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		if f := strings.Fields(string(text)); len(f) > 2 {
			m.Load = strings.Join(f[:3], " ")
		}
	}
	return m
}
