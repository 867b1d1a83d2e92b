package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cachemesh/cachemesh/mesh"
)

// benchRun runs "meshnode bench --json" to its end.
func benchRun(t *testing.T, s *server, wantCode int, args ...string) (benchJSON, result) {
	t.Helper()
	r := meshnode(t, append([]string{"bench", "--json", "--nats", s.urlOf(t, "nats"), "--duration", "300ms"}, args...)...)
	var got benchJSON
	if err := json.Unmarshal([]byte(r.out), &got); err != nil || r.code != wantCode {
		t.Fatalf("bench %v: exit %d, want %d; %v\n%s\n%s", args, r.code, wantCode, err, r.out, r.err)
	}
	return got, r
}

func TestBenchSaysWhatItReadAndHowLongItTook(t *testing.T) {
	t.Parallel()
	s := serveUp(t, "--embed", "--embed-addr", "127.0.0.1:0", "--cache", "load=synthetic:1000,latency=1ms")
	got, _ := benchRun(t, s, exitOK, "load", "--callers", "8", "--keys", "50")
	values := uint64(0)
	for _, l := range got.Sources {
		values += l.Count
	}
	sum := uint64(0)
	for _, b := range got.ReadHistogram {
		sum += b.Count
	}
	if got.Reads.Count == 0 || got.Reads.Count != values || sum != values || got.Bytes != 1000*values || got.NotFound.Count != 0 {
		t.Errorf("%d reads, %d values by source, %d in the histogram, %d bytes, %d not found: they do not agree",
			got.Reads.Count, values, sum, got.Bytes, got.NotFound.Count)
	}
	for _, source := range []string{"loaded", "replica"} {
		if got.Sources[source].Count == 0 {
			t.Errorf("no answer from %s: %+v", source, got.Sources)
		}
	}
	// What came from a load took its latency.
	if l := got.Sources["loaded"]; l.P50 < 0.001 {
		t.Errorf("loads take 1ms, they were measured as %+v", l)
	}
	r := got.Reads
	if !(r.P50 > 0 && r.P50 <= r.P90 && r.P90 <= r.P99 && r.P99 <= r.P999 && r.P999 <= r.Max) {
		t.Errorf("quantiles out of order: %+v", r)
	}
	if got.Seconds < 0.3 || got.Seconds > 3 || got.OperationsPerSecond <= 0 ||
		got.OperationsPerSecond*got.Seconds > float64(values)+1 || got.Owners != 1 || got.Interrupted {
		t.Errorf("%+v", got)
	}

	text := meshnode(t, "bench", "load", "--nats", s.urlOf(t, "nats"), "--duration", "1200ms", "--callers", "8", "--keys", "50")
	for _, want := range []string{
		`^cache load of mesh default at nats://\S+, 1 owner: 8 callers, 50 keys \(Zipf 1.1\), for 1.2s\n`,
		`(?m)^reads answered +share +p50 +p90 +p99 +p99\.9 +max$`, `(?m)^from a hot replica +[\d,]+ +[\d.]+% `,
		`(?m)^all +[\d,]+ 100\.0% `, `(?m)^ +\d+[nµm]s +[\d,]+ +[\d.]+%  █+[▏▎▍▌▋▊▉]?$`, `(?m)^operations +[\d,]+/s over 1\.`,
		`(?m)^values +[\d.]+[MG]iB, [\d.]+[MG]iB/s, 1000B on average$`, `(?m)^errors +0$`,
	} {
		if !regexp.MustCompile(want).MatchString(text.out) {
			t.Errorf("no %s in\n%s", want, text.out)
		}
	}
	if want := `^ +1\.\ds  [\d,]+ operations/s, .*, 0 failed\n$`; text.code != exitOK || !regexp.MustCompile(want).MatchString(text.err) {
		t.Errorf("exit %d, stderr %s", text.code, text.err)
	}
}

func TestBenchDoesTheOperationsThatItIsAskedFor(t *testing.T) {
	t.Parallel()
	s := serveUp(t, "--embed", "--embed-addr", "127.0.0.1:0", "--cache", "load=synthetic:10")
	got, _ := benchRun(t, s, exitOK, "load", "--keys", "10", "--replicas=false", "--zipf", "0")
	if got.Sources["replica"].Count != 0 || got.Sources["owner"].Count == 0 || got.Sources["loaded"].Count > got.Reads.Count/10 || got.Invalidations.Count != 0 {
		t.Errorf("without replicas: %+v", got)
	}
	got, _ = benchRun(t, s, exitOK, "load", "--keys", "10", "--fresh", "30", "--callers", "4")
	if l := got.Sources["loaded"].Count; l < got.Reads.Count/5 || got.Invalidations.Count != 0 {
		t.Errorf("%d of %d answers came by a load: 30%% asked for a fresh one", l, got.Reads.Count)
	}
	got, _ = benchRun(t, s, exitOK, "load", "--keys", "10", "--invalidate", "20", "--callers", "4")
	all := got.Reads.Count + got.Invalidations.Count
	if share := float64(got.Invalidations.Count) / float64(all); share < 0.1 || share > 0.3 || got.Invalidate != 20 || got.MeanBytes != 10 {
		t.Errorf("%d of %d operations are invalidations, want %v%%; values of %v bytes, want 10", got.Invalidations.Count, all, got.Invalidate, got.MeanBytes)
	}
	if l := got.Sources["loaded"].Count; l < got.Invalidations.Count/5 {
		t.Errorf("%d answers came by a load, after %d invalidations of 10 keys", l, got.Invalidations.Count)
	}
}

func TestBenchCountsNotFoundApartAndKeysComeFromAFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keys := filepath.Join(t.TempDir(), "keys")
	for name, data := range map[string]string{filepath.Join(dir, "here"): "12345", keys: "here\n\ngone\r\n"} {
		if err := os.WriteFile(name, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := serveUp(t, "--embed", "--embed-addr", "127.0.0.1:0", "--cache", "docs=file:"+dir)
	got, _ := benchRun(t, s, exitOK, "docs", "--key-file", keys, "--zipf", "0", "--callers", "4")
	found := got.Reads.Count - got.NotFound.Count
	if got.Keys != 2 || got.NotFound.Count == 0 || found == 0 || got.Bytes != 5*found || len(got.Errors) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestBenchNamesErrorsByKindAndExitsWith1(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "slow") {
			select {
			case <-hold:
			case <-r.Context().Done():
			}
		}
		http.Error(w, "broken", http.StatusInternalServerError)
	}))
	defer origin.Close()
	defer close(hold)
	s := serveUp(t, "--embed", "--embed-addr", "127.0.0.1:0", "--cache", "api="+origin.URL+"/{key}")
	keys := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(keys, []byte("bad\nslow\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	got, r := benchRun(t, s, exitFailed, "api", "--key-file", keys, "--zipf", "0", "--callers", "4", "--timeout", "20ms")
	if got.Errors["origin failed"].Count == 0 || !strings.Contains(got.Errors["origin failed"].First, "500") ||
		got.Errors["timeout"].Count == 0 || len(got.Errors) != 2 || got.Reads.Count != 0 {
		t.Errorf("%+v", got.Errors)
	}
	if !regexp.MustCompile(`meshnode: [\d,]+ of [\d,]+ operations failed, most often: `).MatchString(r.err) {
		t.Errorf("stderr %s", r.err)
	}
}

func TestBenchIsBoundedWhenNothingIsAnswered(t *testing.T) {
	t.Parallel()
	s := serveUp(t, "--embed", "--embed-addr", "127.0.0.1:0", "--cache", "load=synthetic:10,latency=29s")
	began := time.Now()
	got, r := benchRun(t, s, exitFailed, "load", "--timeout", "1h", "--callers", "4")
	if got.Unfinished != 4 || !strings.Contains(r.err, "no operation ended within 2.") || time.Since(began) > 12*time.Second {
		t.Errorf("after %v: %+v\n%s", time.Since(began), got, r.err)
	}
}

func TestBenchSaysWhatIsServedWhenTheCacheIsNot(t *testing.T) {
	t.Parallel()
	s := serveUp(t, "--embed", "--embed-addr", "127.0.0.1:0", "--cache", "load=synthetic:10")
	r := meshnode(t, "bench", "laod", "--nats", s.urlOf(t, "nats"))
	if r.code != exitFailed || r.out != "" || !strings.Contains(r.err, `nobody serves cache "laod"`) || !strings.Contains(r.err, "has load") {
		t.Errorf("%+v", r)
	}
}

func TestBenchEndsInTimeWhenAMemberIsKilled(t *testing.T) {
	t.Parallel()
	first := serveUp(t, "--embed", "--embed-addr", "127.0.0.1:0", "--cache", "load=synthetic:100")
	second := serveUp(t, "--nats", first.urlOf(t, "nats"), "--cache", "load=synthetic:100")
	began := time.Now()
	b := benchUp(t, "load", "--nats", first.urlOf(t, "nats"), "--duration", "2s", "--keys", "500", "--replicas=false")
	b.line(t, "operations/s")
	second.cmd.Process.Kill()
	out, errs, code := b.end(t)
	want := exitOK
	if !regexp.MustCompile(`(?m)^errors +0$`).MatchString(out) {
		want = exitFailed
	}
	if code != want || !regexp.MustCompile(`(?m)^all +[\d,]+ 100\.0% `).MatchString(out) || time.Since(began) > 10*time.Second {
		t.Errorf("exit %d, want %d, after %v\n%s%s", code, want, time.Since(began), errs, out)
	}
}

func TestBenchReportsErrorsWhenNATSIsGone(t *testing.T) {
	t.Parallel()
	s := serveUp(t, "--embed", "--embed-addr", "127.0.0.1:0", "--cache", "load=synthetic:100")
	b := benchUp(t, "load", "--nats", s.urlOf(t, "nats"), "--duration", "2s", "--timeout", "300ms", "--replicas=false")
	b.line(t, "operations/s")
	s.cmd.Process.Kill()
	began := time.Now()
	out, errs, code := b.end(t)
	if code != exitFailed || !strings.Contains(errs, "operations failed, most often: ") || time.Since(began) > 10*time.Second {
		t.Errorf("exit %d after %v\n%s%s", code, time.Since(began), errs, out)
	}
}

func TestBenchEndsEarlyWithItsReportWhenInterrupted(t *testing.T) {
	t.Parallel()
	s := serveUp(t, "--embed", "--embed-addr", "127.0.0.1:0", "--cache", "load=synthetic:100")
	b := benchUp(t, "load", "--nats", s.urlOf(t, "nats"), "--duration", "1h")
	b.line(t, "operations/s")
	b.cmd.Process.Signal(syscall.SIGINT)
	began := time.Now()
	out, errs, code := b.end(t)
	if code != exitOK || !regexp.MustCompile(`(?m)^operations +[\d,]+/s over \S+, ended early$`).MatchString(out) || time.Since(began) > 8*time.Second {
		t.Errorf("exit %d after %v\n%s%s", code, time.Since(began), errs, out)
	}
}

func TestBenchMeasuresMemoryWhereAQuorumIsNeeded(t *testing.T) {
	t.Parallel()
	agreed := []string{"--quorum", "2", "--lease", "1s"}
	member := append([]string{"--heartbeat", "250ms", "--cache", "load=synthetic:100"}, agreed...)
	first := serveUp(t, append([]string{"--embed", "--embed-addr", "127.0.0.1:0"}, member...)...)
	nats := first.urlOf(t, "nats")
	serveUp(t, append([]string{"--nats", nats}, member...)...)
	r := meshnode(t, append([]string{"bench", "load", "--nats", nats, "--duration", "300ms", "--keys", "10"}, agreed...)...)
	if r.code != exitOK || strings.Contains(r.out, "nobody kept") {
		t.Errorf("exit %d\n%s%s", r.code, r.err, r.out)
	}
}

// running is a "meshnode bench" that runs.
type running struct {
	cmd  *exec.Cmd
	out  *strings.Builder
	errs *bufio.Reader
	seen strings.Builder // of errs
	stop func()
}

func benchUp(t *testing.T, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	b := &running{cmd: exec.CommandContext(ctx, program, append([]string{"bench"}, args...)...), out: &strings.Builder{}, stop: cancel}
	b.cmd.Env = append(os.Environ(), "NATS_URL=")
	b.cmd.Stdout = b.out
	errs, err := b.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	b.errs = bufio.NewReader(errs)
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return b
}

// line waits for a line of stderr.
func (b *running) line(t *testing.T, part string) {
	t.Helper()
	for {
		line, err := b.errs.ReadString('\n')
		b.seen.WriteString(line)
		if strings.Contains(line, part) {
			return
		}
		if err != nil {
			t.Fatalf("no line with %q: %v\n%s", part, err, b.seen.String())
		}
	}
}

func (b *running) end(t *testing.T) (out, errs string, code int) {
	t.Helper()
	defer b.stop()
	rest, _ := io.ReadAll(b.errs)
	b.cmd.Wait()
	return b.out.String(), b.seen.String() + string(rest), b.cmd.ProcessState.ExitCode()
}

func TestAKeyFileWithAKeyThatIsTooLongIsRefusedByItsLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	for length, want := range map[int]string{maxKeyBytes: "", maxKeyBytes + 1: "line 2", maxKeyBytes + 100: "line 2"} {
		if err := os.WriteFile(path, fmt.Appendf(nil, "first\n%s\nthird\n", strings.Repeat("x", length)), 0o644); err != nil {
			t.Fatal(err)
		}
		keys, err := readKeys(path)
		if want == "" && (err != nil || len(keys) != 3 || len(keys[1]) != length) {
			t.Errorf("%d bytes: %d keys, %v", length, len(keys), err)
		}
		if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%d bytes: %v, want %q", length, err, want)
		}
	}
}

func TestAnOperationHasAtLeastItsTimeoutAndAtMostTwiceThat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deadlines{parent: t.Context(), timeout: time.Second}
		defer func() { d.cancel() }()
		made := map[context.Context]bool{}
		for range 100 {
			ctx := d.next()
			made[ctx] = true
			end, ok := ctx.Deadline()
			if left := time.Until(end); !ok || left < time.Second || left > 2*time.Second {
				t.Fatalf("an operation is given %v", left)
			}
			time.Sleep(90 * time.Millisecond)
		}
		if len(made) > 10 {
			t.Errorf("%d contexts for 100 operations in 9s", len(made))
		}
	})
}

func TestErrorsHaveKinds(t *testing.T) {
	for kind, err := range map[string]error{
		"":                     &mesh.LoadError{Err: mesh.ErrNotFound},
		"origin failed":        &mesh.LoadError{Err: context.DeadlineExceeded},
		"timeout":              fmt.Errorf("get: %w", context.DeadlineExceeded),
		"overloaded":           fmt.Errorf("%w: %w", mesh.ErrOverloaded, context.DeadlineExceeded),
		"no owner":             mesh.ErrNoOwner,
		"value too large":      mesh.ErrTooLarge,
		"bad key":              mesh.ErrBadKey,
		"connection closed":    mesh.ErrClosed,
		"not confirmed by all": &mesh.PartialError{},
		"other":                io.ErrUnexpectedEOF,
	} {
		if got := kindOf(err); got != kind {
			t.Errorf("%v is %q, want %q", err, got, kind)
		}
	}
}
