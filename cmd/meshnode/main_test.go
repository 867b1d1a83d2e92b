package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// program is the built binary.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "meshnode")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "meshnode")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	code := 1
	if build.Run() == nil {
		code = m.Run()
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// result is what a run of the program came to.
type result struct {
	code     int
	out, err string
}

// meshnode runs the program to its end, 30 s at most.
func meshnode(t *testing.T, args ...string) result {
	t.Helper()
	return meshnodeEnv(t, nil, args...)
}

func meshnodeEnv(t *testing.T, env []string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), "NATS_URL=")
	cmd.Env = append(cmd.Env, env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("meshnode %s: %v", strings.Join(args, " "), err)
	}
	if ctx.Err() != nil {
		t.Fatalf("meshnode %s: did not end\n%s%s", strings.Join(args, " "), out.String(), errs.String())
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

func TestAMistakeInTheCommandLineExitsWith2AndSaysWhatIsRight(t *testing.T) {
	nowhere := "nats://" + freeAddr(t) // a mistake is found before NATS is looked for
	for args, want := range map[string]string{
		"srve":                             "did you mean serve?",
		"--bad":                            "unknown flag: --bad",
		"serve":                            "--cache docs=file:.",
		"serve --cache docs":               "write NAME=ORIGIN",
		"serve --cache a.b=file:.":         "must be 1 to 64 of",
		"serve --cache docs=file:.,tll=1m": `unknown option "tll"`,
		"serve --cache docs=.":             "write file:.",
		"serve --cache docs=file:/no/such/directory --embed --embed-addr 127.0.0.1:0": "/no/such/directory",
		"serve --cache a=file:. --cache a=file:.":                                     "twice",
		"serve --cache a=file:. --mesh a.b":                                           "mesh name",
		"serve --cache a=file:. --id a*b":                                             "member ID",
		"serve --cache a=file:. --weight 0":                                           "1 to 100",
		"serve --cache a=file:. --weight 101":                                         "1 to 100",
		"serve --cache a=file:. --weight x":                                           "--weight",
		"serve --cache a=file:. --quorum -1":                                          "0 to 64",
		"serve --cache a=file:. --heartbeat 1ms":                                      "10ms to 1m",
		"serve --cache a=file:. --heartbeat x":                                        "--heartbeat",
		"serve --cache a=file:. --lease 2s":                                           "three heartbeats",
		"serve --cache a=file:. --http x":                                             "HTTP address",
		"serve --cache a=file:. --creds /no/such/file":                                "credentials",
		"serve --cache a=file:. --embed --nats x":                                     "exclude each other",
		"serve --cache a=file:. --embed --creds x":                                    "exclude each other",
		"serve --cache a=file:. --lease 1h":                                           "at most 10m",
		"serve --cache a=file:. --embed-addr x":                                       "needs --embed",
		"serve --cache a=file:. --embed --embed-addr x":                               "write host:port",
		"serve --cache a=file:. --memory-limit 64M":                                   "such as 4096, 10MB or 64MiB, or auto, or off",
		"serve --cache a=file:. --memory-limit 0":                                     "write auto or off",
		"serve --cache a=file:.,bytes=1GiB --memory-limit 1GiB":                       "at least the 1152MiB",
		"serve --cache a=file:. more":                                                 "no arguments",
		"get":                                                                         "CACHE and KEY",
		"get a":                                                                       "CACHE and KEY",
		"get a b c":                                                                   "3 arguments",
		"get a b --timeout 0s":                                                        "above 0",
		"get a b --timeout x":                                                         "--timeout",
		"get a b --mesh a.b":                                                          "mesh name",
		"invalidate a":                                                                "one KEY or more",
		"members x":                                                                   "no arguments",
		"stats x":                                                                     "no arguments",
		"bench":                                                                       "CACHE",
		"bench a b":                                                                   "2 arguments",
		"bench a --callers 0":                                                         "1 to 10000",
		"bench a --keys 0":                                                            "1 to 10000000",
		"bench a --keys x":                                                            "--keys",
		"bench a --zipf -1":                                                           "0 to 10",
		"bench a --zipf NaN":                                                          "0 to 10",
		"bench a --duration 1ms":                                                      "100ms to 24h",
		"bench a --invalidate 101":                                                    "a percentage, 0 to 100",
		"bench a --fresh -1":                                                          "a percentage, 0 to 100",
		"bench a --fresh NaN":                                                         "a percentage, 0 to 100",
		"bench a --fresh 60 --invalidate 60":                                          "together",
		"bench a --timeout 0s":                                                        "1ms to 1h",
		"bench a --key-file /no/such/file":                                            "/no/such/file",
		"bench a --key-file /dev/null":                                                "has no keys",
		"bench a --key-file /dev/null --keys 5":                                       "--key-file excludes --keys and --prefix",
		"bench a --mesh a.b":                                                          "mesh name",
		"serve --cache a=file:. --cache b=file:.,soft-timeout=1s":                     "needs stale-if-error",
		"help x":                        `no command "x"`,
		"completion x":                  "bash, fish, powershell, zsh",
		"completion bash x":             "takes no arguments",
		"version x":                     "no arguments",
		"demo x":                        "no arguments",
		"demo --dir /no/such/directory": "not a directory",
		"demo --readers 0":              "1 to 2000",
		"demo --latency -1s":            "0 to 5s",
		"demo --duration 1ms":           "1s to 10m",
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			r := meshnodeEnv(t, []string{"NATS_URL=" + nowhere}, strings.Fields(args)...)
			if r.code != exitUsage || r.out != "" || !strings.Contains(r.err, want) {
				t.Errorf("exit %d, stdout %q, stderr %q; want exit 2 and stderr with %q", r.code, r.out, r.err, want)
			}
			if lines := strings.Count(r.err, "\n"); lines > 2 || strings.Contains(r.err, "goroutine") {
				t.Errorf("more than two lines on stderr:\n%s", r.err)
			}
		})
	}
}

func TestAnEmptyDirectoryIsNothingToDemonstrate(t *testing.T) {
	r := meshnode(t, "demo", "--dir", t.TempDir())
	if r.code != exitUsage || !strings.Contains(r.err, "has no files") {
		t.Errorf("exit %d, stderr %q", r.code, r.err)
	}
}

func TestWithoutNATSTheErrorNamesTheURLAndEmbed(t *testing.T) {
	addr := freeAddr(t)
	for _, args := range [][]string{
		{"serve", "--cache", "a=file:."}, {"get", "a", "b"}, {"invalidate", "a", "b"}, {"members"}, {"stats"}, {"bench", "a"},
	} {
		r := meshnodeEnv(t, []string{"NATS_URL=nats://" + addr}, args...)
		if r.code != exitFailed || !strings.Contains(r.err, addr) || !strings.Contains(r.err, "--embed") {
			t.Errorf("%v: exit %d, stderr %q", args, r.code, r.err)
		}
	}
}

func TestHelpAndVersionGoToStdout(t *testing.T) {
	for _, args := range [][]string{{}, {"--help"}, {"help", "serve"}, {"serve", "--help"}, {"bench", "--help"}, {"version"}} {
		if r := meshnode(t, args...); r.code != exitOK || r.out == "" || r.err != "" {
			t.Errorf("%v: %+v", args, r)
		}
	}
}
