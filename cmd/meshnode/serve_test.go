package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/mesh"
)

// server is a "meshnode serve" that runs.
type server struct {
	ready string // the line that it printed
	cmd   *exec.Cmd
	ended chan struct{}

	mu  sync.Mutex
	log bytes.Buffer // stderr; guarded by mu
}

func (s *server) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(p)
}

func (s *server) stderr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// serveUp runs "meshnode serve" and waits until it is ready.
func serveUp(t *testing.T, args ...string) *server {
	t.Helper()
	s := &server{ended: make(chan struct{})}
	s.cmd = exec.Command(program, append([]string{"serve", "--heartbeat", "100ms"}, args...)...)
	s.cmd.Env = append(os.Environ(), "NATS_URL=")
	s.cmd.Stderr = s
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.cmd.Process.Kill()
		<-s.ended
	})
	line := make(chan string, 1)
	go func() {
		defer close(s.ended)
		r := bufio.NewReader(out)
		first, _ := r.ReadString('\n')
		line <- first
		io.Copy(io.Discard, r)
		s.cmd.Wait()
	}()
	select {
	case s.ready = <-line:
	case <-time.After(20 * time.Second):
	}
	if !strings.HasPrefix(s.ready, "ready: ") {
		t.Fatalf("serve %v is not ready: %q\n%s", args, s.ready, s.stderr())
	}
	return s
}

// stop sends a signal and gives the exit code.
func (s *server) stop(t *testing.T, sig os.Signal) int {
	t.Helper()
	s.cmd.Process.Signal(sig)
	select {
	case <-s.ended:
	case <-time.After(20 * time.Second):
		t.Fatalf("it has not ended after %v:\n%s", sig, s.stderr())
	}
	return s.cmd.ProcessState.ExitCode()
}

// urlOf finds a URL in the line that a server printed.
func (s *server) urlOf(t *testing.T, scheme string) string {
	t.Helper()
	u := regexp.MustCompile(scheme + `://[0-9.:]+`).FindString(s.ready)
	if u == "" {
		t.Fatalf("no %s URL in %q", scheme, s.ready)
	}
	return u
}

func TestServeGetInvalidateMembersStats(t *testing.T) {
	dir := t.TempDir()
	write := func(name, data string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("a.txt", "one")
	write("b c.txt", "\x00\xff")
	cache := "docs=file:" + dir + ",ttl=never"
	first := serveUp(t, "--embed", "--embed-addr", "127.0.0.1:0", "--id", "first", "--http", "0", "--cache", cache)
	url := first.urlOf(t, "nats")
	second := serveUp(t, "--nats", url, "--id", "second", "--cache", cache, "--weight", "2")
	on := func(args ...string) result {
		t.Helper()
		return meshnode(t, append(args, "--nats", url)...)
	}
	want := func(r result, code int, out string, errParts ...string) {
		t.Helper()
		if r.code != code || r.out != out {
			t.Errorf("exit %d, stdout %q, stderr %q; want exit %d, stdout %q", r.code, r.out, r.err, code, out)
		}
		for _, part := range errParts {
			if !strings.Contains(r.err, part) {
				t.Errorf("stderr %q; want it to have %q", r.err, part)
			}
		}
	}

	want(on("get", "docs", "a.txt", "-v"), exitOK, "one", "source loaded", "ttl never ends", "3 bytes")
	want(on("get", "docs", "b c.txt"), exitOK, "\x00\xff")
	want(on("get", "docs", "none"), exitFailed, "", `cache "docs" has no key "none"`)
	want(on("get", "doc", "a.txt"), exitFailed, "", `nobody serves cache "doc"`, "has docs")
	want(on("get", "docs", ""), exitUsage, "")
	want(on("get", "docs", "a.txt", "--mesh", "other"), exitFailed, "", "has no members")
	want(on("invalidate", "doc", "a.txt"), exitFailed, "", `nobody serves cache "doc"`)

	write("a.txt", "two")
	want(on("get", "docs", "a.txt", "-v"), exitOK, "one", "source owner")
	want(on("invalidate", "docs", "a.txt", "b c.txt", "a.txt"), exitOK, "invalidated 2 keys on 2 members\n")
	want(on("get", "docs", "a.txt"), exitOK, "two")
	write("a.txt", "three")
	want(on("get", "docs", "a.txt"), exitOK, "two")
	want(on("get", "docs", "a.txt", "--fresh"), exitOK, "three")

	r := on("members")
	if r.code != exitOK || strings.Count(r.out, "\n") != 3 || !regexp.MustCompile(`(?m)^second +owner +2 +docs +\S+ +\d+s$`).MatchString(r.out) {
		t.Errorf("members: %+v", r)
	}
	var members []memberJSON
	if err := json.Unmarshal([]byte(on("members", "--json").out), &members); err != nil || len(members) != 2 ||
		members[0].ID != "first" || members[1].Weight != 2 || members[0].Caches[0] != "docs" {
		t.Errorf("members --json: %+v, %v", members, err)
	}
	want(on("members", "--mesh", "other"), exitOK, "", "has no members")
	want(on("members", "--mesh", "other", "--json"), exitOK, "[]\n")

	r = on("stats")
	if r.code != exitOK || !strings.Contains(r.out, "first") || !strings.Contains(r.out, "second") || !strings.Contains(r.out, "docs") {
		t.Errorf("stats: %+v", r)
	}
	var stats []mesh.Stats
	if err := json.Unmarshal([]byte(on("stats", "--json").out), &stats); err != nil || len(stats) != 2 || stats[0].Member != "first" {
		t.Errorf("stats --json: %+v, %v", stats, err)
	}
	want(on("stats", "--mesh", "other", "--json"), exitOK, "[]\n")

	admin := first.urlOf(t, "http")
	for path, part := range map[string]string{"/healthz": "ok", "/readyz": "ready", "/metrics": "cachemesh_members 2"} {
		if code, body := fetch(t, admin+path); code != http.StatusOK || !strings.Contains(body, part) {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}

	if code := second.stop(t, syscall.SIGTERM); code != exitOK {
		t.Errorf("SIGTERM: exit %d\n%s", code, second.stderr())
	}
	// Its heir has its share: nothing was lost with it, and nothing waits.
	want(on("get", "docs", "a.txt", "-v"), exitOK, "three", "source owner, owner first")
	if code := first.stop(t, syscall.SIGINT); code != exitOK {
		t.Errorf("SIGINT: exit %d\n%s", code, first.stderr())
	}
	for _, s := range []*server{first, second} {
		if strings.Contains(s.stderr(), "level=ERROR") || strings.Contains(s.stderr(), "level=WARN") {
			t.Errorf("an undisturbed member complains:\n%s", s.stderr())
		}
	}
}

func TestServeHasAMemoryLimitThatIsItsOwnTheOperatorsOrNone(t *testing.T) {
	for name, c := range map[string]struct {
		environment string // GOMEMLIMIT
		args        []string
		want        int64
	}{
		"its own":           {want: 189 << 20},
		"the operator's":    {environment: "3GiB", want: 3 << 30},
		"what is asked for": {environment: "3GiB", args: []string{"--memory-limit", "1GiB"}, want: 1 << 30},
		"off":               {args: []string{"--memory-limit", "off"}, want: math.MaxInt64},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("GOMEMLIMIT", c.environment)
			s := serveUp(t, append(c.args, "--embed", "--embed-addr", "127.0.0.1:0", "--http", "0",
				"--cache", "docs=file:.,bytes=80MiB,replica-bytes=20MiB")...)
			_, body := fetch(t, s.urlOf(t, "http")+"/metrics")
			want := fmt.Sprintf("go_gc_gomemlimit_bytes %v\n", float64(c.want))
			if !strings.Contains(body, want) {
				t.Errorf("the metrics lack %s: %s", want, regexp.MustCompile("go_gc_gomem.*").FindAllString(body, -1))
			}
		})
	}
}

func TestASecondEmbeddedNATSIsToldToJoinTheFirst(t *testing.T) {
	first := serveUp(t, "--embed", "--embed-addr", "127.0.0.1:0", "--cache", "docs=file:.")
	addr := strings.TrimPrefix(first.urlOf(t, "nats"), "nats://")
	r := meshnode(t, "serve", "--embed", "--embed-addr", addr, "--cache", "docs=file:.")
	if r.code != exitFailed || !strings.Contains(r.err, addr) || !strings.Contains(r.err, "drop --embed") {
		t.Errorf("%+v", r)
	}
}

func TestAnIDThatIsTakenIsRefused(t *testing.T) {
	first := serveUp(t, "--embed", "--embed-addr", "127.0.0.1:0", "--id", "one", "--cache", "docs=file:.")
	r := meshnode(t, "serve", "--nats", first.urlOf(t, "nats"), "--id", "one", "--heartbeat", "100ms", "--cache", "docs=file:.")
	if r.code != exitFailed || !strings.Contains(r.err, "ID is taken") {
		t.Errorf("%+v", r)
	}
}

func TestASignalThatComesTwiceAtOnceIsOne(t *testing.T) {
	for range 3 {
		s := serveUp(t, "--embed", "--embed-addr", "127.0.0.1:0", "--cache", "load=synthetic:100")
		s.cmd.Process.Signal(syscall.SIGINT)
		if code := s.stop(t, syscall.SIGTERM); code != exitOK {
			t.Errorf("exit %d: %s", code, s.stderr())
		}
	}
}

func TestASecondSignalEndsAMemberThatWaitsForALoad(t *testing.T) {
	asked, release := make(chan struct{}, 1), make(chan struct{})
	origin := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked <- struct{}{}
		<-release
	}))
	defer origin.Close()
	defer close(release)
	s := serveUp(t, "--embed", "--embed-addr", "127.0.0.1:0", "--cache", "api="+origin.URL+"/{key}")
	get := exec.Command(program, "get", "api", "x", "--nats", s.urlOf(t, "nats"))
	if err := get.Start(); err != nil {
		t.Fatal(err)
	}
	defer get.Wait()
	defer get.Process.Kill()
	select {
	case <-asked:
	case <-time.After(10 * time.Second):
		t.Fatal("the origin is not asked")
	}
	s.cmd.Process.Signal(syscall.SIGTERM)
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(s.stderr(), "msg=leaving"); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not begin to leave:\n%s", s.stderr())
		}
	}
	time.Sleep(signalEcho + 100*time.Millisecond) // before that it would pass for the first
	began := time.Now()
	if code := s.stop(t, syscall.SIGINT); code != exitFailed || time.Since(began) > 2*time.Second {
		t.Errorf("exit %d after %v:\n%s", code, time.Since(began), s.stderr())
	}
}

func fetch(t *testing.T, url string) (int, string) {
	t.Helper()
	client := http.Client{Timeout: 5 * time.Second}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
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
