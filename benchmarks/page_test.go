package main

import (
	"strings"
	"testing"
	"time"
)

func TestAPageNamesTheMachineAndWhatIsMissing(t *testing.T) {
	var b strings.Builder
	err := page(&b, results{
		Machine: machine{CPU: "a CPU", Cores: 2, OS: "linux/amd64", Go: "go1.26", Load: "3.1 2.0 1.0", Versions: []string{"rival v1"}},
		Quick:   true,
		Took:    time.Minute,
		Tables:  []table{{Title: "T", Text: "What.", Columns: []string{"x", "y"}, Rows: []row{{"r", []cell{words("1"), none}}}, Notes: []string{"Left out."}}},
		Missing: []string{"herd: why"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a CPU, 2 processors", "3.1 2.0 1.0", "rival v1", "A quick run", "Not measured: herd: why",
		"## T\n\nWhat.\n\n| | x | y |\n|---|---:|---:|\n| r | 1 | - |\n\nLeft out.\n"} {
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
