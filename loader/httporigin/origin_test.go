package httporigin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/loader"
)

// serve returns an origin of a server with the handler, at path.
func serve(t *testing.T, path string, opts Options, h http.HandlerFunc) (*Origin, *httptest.Server) {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	o, err := New(srv.URL+path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Close() })
	return o, srv
}

func load(t *testing.T, o *Origin, key string) (loader.Item[[]byte], error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return o.Load(ctx, loader.Request[[]byte]{Key: key})
}

func TestAnAnswerBecomesAnItem(t *testing.T) {
	o, _ := serve(t, "/files/{key}", Options{}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"v1"`)
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Age", "15")
		fmt.Fprintf(w, "%s of %s", r.Method, r.URL.Path)
	})
	for _, key := range []string{"a", "a/b c", "żółw", "?x=1#y", "\x00\xff", "%2e%2e", strings.Repeat("k", 4000)} {
		item, err := load(t, o, key)
		if want := "GET of /files/" + key; err != nil || string(item.Value) != want {
			t.Errorf("%q: %q, %v", key, item.Value, err)
		}
		if item.ETag != `"v1"` || item.TTL != 45*time.Second || item.NoStore || item.NotModified {
			t.Errorf("%q: %+v", key, item)
		}
	}
}

func TestABodyOfAnySizeUpToTheLimitComesBack(t *testing.T) {
	const limit = 100_000
	for _, declared := range []bool{true, false} {
		o, _ := serve(t, "/{key}", Options{MaxBytes: limit}, func(w http.ResponseWriter, r *http.Request) {
			size, _ := strconv.Atoi(r.URL.Path[1:])
			if declared {
				w.Header().Set("Content-Length", fmt.Sprint(size))
			}
			io.WriteString(w, strings.Repeat("x", size/2))
			w.(http.Flusher).Flush()
			io.WriteString(w, strings.Repeat("x", size-size/2))
		})
		for _, size := range []int{0, 1, limit - 1, limit} {
			if item, err := load(t, o, fmt.Sprint(size)); err != nil || len(item.Value) != size || item.Value == nil {
				t.Errorf("declared %v, %d bytes: %d, %v", declared, size, len(item.Value), err)
			}
		}
		for _, size := range []int{limit + 1, 20 * limit} {
			item, err := load(t, o, fmt.Sprint(size))
			if !errors.Is(err, ErrTooLarge) || item.Value != nil || !strings.Contains(err.Error(), "100000") {
				t.Errorf("declared %v, %d bytes: %d, %v", declared, size, len(item.Value), err)
			}
			if declared && !strings.Contains(err.Error(), fmt.Sprint(size)) {
				t.Errorf("%v does not name the size", err)
			}
		}
	}
}

func TestATruncatedBodyIsAnError(t *testing.T) {
	for name, header := range map[string]string{"declared": "Content-Length: 100\r\n\r\nhalf", "chunked": "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"} {
		for _, limit := range []int64{4, 1000} { // the undeclared end may come at the limit
			if name == "declared" {
				limit = 1000
			}
			o, _ := serve(t, "/{key}", Options{MaxBytes: limit}, func(w http.ResponseWriter, r *http.Request) {
				conn, rw, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				rw.WriteString("HTTP/1.1 200 OK\r\n" + header)
				rw.Flush()
			})
			if item, err := load(t, o, "a"); !errors.Is(err, io.ErrUnexpectedEOF) || item.Value != nil {
				t.Errorf("%s: %q, %v", name, item.Value, err)
			}
		}
	}
}

func TestNotFoundAndGoneAreNotFound(t *testing.T) {
	for _, code := range []int{404, 410} {
		o, srv := serve(t, "/{key}", Options{}, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(code) })
		_, err := load(t, o, "a")
		if !errors.Is(err, loader.ErrNotFound) || !strings.Contains(err.Error(), fmt.Sprintf("%s/a: %d", srv.URL, code)) {
			t.Errorf("%d: %v", code, err)
		}
	}
}

func TestAnotherStatusIsAStatusError(t *testing.T) {
	for _, code := range []int{201, 204, 206, 304, 400, 401, 403, 429, 500, 503, 599} {
		o, srv := serve(t, "/{key}", Options{}, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(code)
			io.WriteString(w, "some reason\n"+strings.Repeat(".", 1000))
		})
		o.template.path[0] = strings.Replace(o.template.path[0], "://", "://user:secret@", 1)
		_, err := load(t, o, "a")
		var status *StatusError
		if !errors.As(err, &status) || errors.Is(err, loader.ErrNotFound) {
			t.Errorf("%d: %v", code, err)
			continue
		}
		if status.Code != code || status.URL != srv.URL+"/a" || len(status.Snippet) > 256 {
			t.Errorf("%d: %+v", code, status)
		}
		if code >= 400 && !strings.HasPrefix(status.Snippet, "some reason") {
			t.Errorf("%d: snippet %q", code, status.Snippet)
		}
		if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%d: %v", code, err)
		}
	}
}

func TestAnUnmodifiedValueIsNotSentAgain(t *testing.T) {
	now := `"v1"`
	o, _ := serve(t, "/{key}", Options{Header: http.Header{"If-None-Match": {"*"}}}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=9")
		if r.Header.Get("If-None-Match") == now {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("ETag", now)
		io.WriteString(w, "value of "+now+r.Header.Get("If-None-Match"))
	})
	first, err := load(t, o, "a")
	if err != nil || string(first.Value) != `value of "v1"` {
		t.Fatalf("%q, %v", first.Value, err)
	}
	again := loader.Request[[]byte]{Key: "a", Prev: &first}
	item, err := o.Load(t.Context(), again)
	if err != nil || !item.NotModified || item.ETag != first.ETag || item.TTL != 9*time.Second {
		t.Errorf("unmodified: %+v, %v", item, err)
	}
	now = `"v2"`
	item, err = o.Load(t.Context(), again)
	if err != nil || item.NotModified || item.ETag != now || string(item.Value) != `value of "v2""v1"` {
		t.Errorf("modified: %+v, %v", item, err)
	}
	if item, err := o.Load(t.Context(), loader.Request[[]byte]{Key: "a", Prev: &loader.Item[[]byte]{}}); err != nil || item.NotModified {
		t.Errorf("no ETag: %+v, %v", item, err)
	}
}

func TestRedirectsAreFollowedWithinBounds(t *testing.T) {
	var hops atomic.Int32
	o, _ := serve(t, "/{key}", Options{}, func(w http.ResponseWriter, r *http.Request) {
		hops.Add(1)
		switch {
		case r.URL.Path == "/once":
			http.Redirect(w, r, "/there", http.StatusFound)
		case r.URL.Path == "/there":
			io.WriteString(w, "here")
		default:
			http.Redirect(w, r, "/round", http.StatusFound)
		}
	})
	if item, err := load(t, o, "once"); err != nil || string(item.Value) != "here" {
		t.Errorf("once: %q, %v", item.Value, err)
	}
	hops.Store(0)
	if _, err := load(t, o, "round"); err == nil || !strings.Contains(err.Error(), "more than 10 redirects") || hops.Load() != 10 {
		t.Errorf("round: %v after %d", err, hops.Load())
	}
}

func TestARedirectToAnotherSchemeIsRefusedEvenIfTheClientKnowsIt(t *testing.T) {
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	transport.RegisterProtocol("file", http.NewFileTransport(http.Dir(".")))
	o, _ := serve(t, "/{key}", Options{Client: &http.Client{Transport: transport}}, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "file:///doc.go", http.StatusFound)
	})
	if item, err := load(t, o, "a"); err == nil || !strings.Contains(err.Error(), `scheme "file"`) {
		t.Errorf("%d bytes, %v", len(item.Value), err)
	}
}

func TestHeadersGoToTheServerOfTheTemplateAlone(t *testing.T) {
	var seen atomic.Value
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.Store(r.Header.Get("X-Api-Key"))
	}))
	defer other.Close()
	name := strings.ToLower("X-Api-Key") // not as net/http spells it
	header := http.Header{name: {"k1"}, "Host": {"virtual.example"}}
	o, _ := serve(t, "/{key}", Options{Header: header}, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, other.URL, http.StatusFound)
		case "/near":
			http.Redirect(w, r, "/here", http.StatusFound)
		default:
			fmt.Fprint(w, r.Header.Get("X-Api-Key"), " ", r.Host)
		}
	})
	header[name][0] = "changed later"
	for _, key := range []string{"here", "near"} {
		if item, err := load(t, o, key); err != nil || string(item.Value) != "k1 virtual.example" {
			t.Errorf("%s: %q, %v", key, item.Value, err)
		}
	}
	if _, err := load(t, o, "away"); err != nil || seen.Load() != "" {
		t.Errorf("the other server saw %q, %v", seen.Load(), err)
	}
}

func TestAClientKeepsItsOwnRules(t *testing.T) {
	refused := errors.New("refused by the client")
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return refused }}
	o, _ := serve(t, "/{key}", Options{Client: client}, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/x", http.StatusFound)
	})
	if _, err := load(t, o, "a"); !errors.Is(err, refused) {
		t.Errorf("error %v", err)
	}
}

func TestALoadEndsWithItsContext(t *testing.T) {
	release := make(chan struct{})
	o, _ := serve(t, "/{key}", Options{}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			io.WriteString(w, "half")
			w.(http.Flusher).Flush()
		}
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	defer close(release)
	why := errors.New("why")
	for _, key := range []string{"header", "body"} {
		ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, why)
		defer cancel()
		if _, err := o.Load(ctx, loader.Request[[]byte]{Key: key}); !errors.Is(err, why) {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// deaf is a transport that reports the end of the context in words of its own.
type deaf struct{}

func (deaf) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, errors.New("aborted")
}

func TestTheCauseOfTheContextIsTheErrorWhateverTheTransportSays(t *testing.T) {
	o, err := New("http://h/{key}", Options{Client: &http.Client{Transport: deaf{}}})
	if err != nil {
		t.Fatal(err)
	}
	why := errors.New("why")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if _, err := o.Load(ctx, loader.Request[[]byte]{Key: "a"}); !errors.Is(err, why) {
		t.Fatalf("error %v", err)
	}
}

func TestAServerThatIsNotThereIsAnErrorWithoutThePassword(t *testing.T) {
	o, srv := serve(t, "/{key}", Options{}, nil)
	srv.Close()
	o.template.path[0] = strings.Replace(o.template.path[0], "://", "://user:secret@", 1)
	_, err := load(t, o, "a")
	if err == nil || !strings.Contains(err.Error(), "httporigin: "+srv.URL+"/a: ") || strings.Contains(err.Error(), "secret") {
		t.Fatalf("error %v", err)
	}
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	var opened atomic.Int32
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/found" {
			w.WriteHeader(http.StatusNotFound)
		}
		io.WriteString(w, strings.Repeat("x", 10_000))
	}))
	srv.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	srv.Start()
	defer srv.Close()
	o, err := New(srv.URL+"/{key}", Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	for range 10 {
		load(t, o, "found")
		load(t, o, "missing")
	}
	// A connection is idle again a moment after the body was closed, so a load
	// that begins at once may open another.
	if opened.Load() > 5 {
		t.Fatalf("%d connections for 20 loads one after the other", opened.Load())
	}
}

func TestTheTimeoutBoundsALoadAndANegativeOneNone(t *testing.T) {
	began := make(chan struct{})
	o, _ := serve(t, "/{key}", Options{Timeout: 50 * time.Millisecond}, func(_ http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done()
	})
	if _, err := load(t, o, "k"); err == nil || !strings.Contains(err.Error(), "timeout") {
		t.Errorf("an origin that does not answer: %v", err)
	}
	<-began
	for timeout, want := range map[time.Duration]time.Duration{0: DefaultTimeout, -1: 0, time.Hour: time.Hour} {
		o, err := New("http://localhost/{key}", Options{Timeout: timeout})
		if err != nil {
			t.Fatal(err)
		}
		if got := o.client.Timeout; got != want {
			t.Errorf("Timeout %v: %v", timeout, got)
		}
		if got := o.client.Transport.(*http.Transport).ResponseHeaderTimeout; got != want/2 {
			t.Errorf("Timeout %v: %v for the headers", timeout, got)
		}
	}
}

func TestAnETagThatIsTooLongIsNotUsed(t *testing.T) {
	o, _ := serve(t, "/{key}", Options{}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"`+strings.Repeat("x", len(r.URL.Path)-3)+`"`)
		fmt.Fprint(w, "value")
	})
	for n, used := range map[int]bool{4096: true, 4097: false} {
		item, err := load(t, o, strings.Repeat("k", n))
		if err != nil || string(item.Value) != "value" || (item.ETag != "") != used {
			t.Errorf("%d bytes: %q, ETag of %d, %v", n, item.Value, len(item.ETag), err)
		}
	}
}
