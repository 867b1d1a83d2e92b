package main

import (
	"strings"
	"testing"
	"time"
)

func TestAPageNamesTheMachineAndWhatIsMissing(t *testing.T) {
	var b strings.Builder
	one := machine{CPU: "a CPU", Cores: 2, OS: "linux/amd64", Go: "go1.26", Load: "3.1 2.0 1.0", Date: "2026-01-02 10:00 UTC", Versions: []string{"rival v1"}}
	other := one
	other.CPU, other.Date = "another CPU", "2026-01-01 10:00 UTC"
	tables := []table{{Title: "T", Text: "What.", Columns: []string{"x", "y"}, Rows: []row{{"r", []cell{words("1"), none}}}, Notes: []string{"Left out."}}}
	err := page(&b, results{[]measurement{
		{Name: "remote", Machine: one, Took: time.Minute, Tables: tables},
		{Name: "local", Machine: other, Quick: true, Tables: tables},
		{Name: "herd", Machine: one, Failed: "why"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\na CPU, 2 processors, linux/amd64, go1.26; rival v1.\n", "**Not measured: herd**: why",
		"## T\n\nWhat.\n\n| | x | y |\n|---|---:|---:|\n| r | 1 | - |\n\nLeft out.\n",
		"*Group remote, 2026-01-02 10:00 UTC, in 1m0s; load averages before: 3.1 2.0 1.0.*\n\n",
		"**A quick run: one short round each. It shows that everything works, not how fast.**\n**Measured with: another CPU, "} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
}

func TestTheProcessorIsNamed(t *testing.T) {
	if got := cpuModel("processor\t: 0\nmodel name\t: Fast 9000\nmodel name\t: Other\n", "?"); got != "Fast 9000" {
		t.Errorf("got %q", got)
	}
	if got := cpuModel("", "?"); got != "?" {
		t.Errorf("got %q", got)
	}
}

func TestRedisSaysWhatCPUItHasTaken(t *testing.T) {
	got, err := redisCPU("# CPU\r\nused_cpu_sys:1.500000\r\nused_cpu_user:0.250000\r\nused_cpu_sys_children:9.0\r\nused_cpu_user_main_thread:9.0\r\n")
	if err != nil || got != 1750*time.Millisecond {
		t.Errorf("got %v, %v; want 1.75s", got, err)
	}
	if _, err := redisCPU("# CPU"); err == nil {
		t.Error("no error of an answer without CPU times")
	}
}
