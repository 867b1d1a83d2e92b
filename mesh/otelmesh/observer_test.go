package otelmesh_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/mesh/otelmesh"
	"github.com/cachemesh/cachemesh/testenv"
)

// process is what one process of a service has: its member, and a tracer of its own.
type process struct {
	m     *mesh.Mesh
	cache *mesh.Cache[string]
	spans *tracetest.SpanRecorder
	trace trace.Tracer
}

func processes(t *testing.T, n int, from loader.Loader[string]) []process {
	t.Helper()
	s := testenv.NATS(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	var ps []process
	for range n {
		m, err := mesh.Join(ctx, s.Connect(t), mesh.Config{Name: "traced", Heartbeat: 100 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		spans := tracetest.NewSpanRecorder()
		provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
		c, err := mesh.NewCache(m, "words", from, mesh.Options{Observer: otelmesh.New(otelmesh.Options{TracerProvider: provider, Keys: true})})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = m.Leave(ctx) })
		ps = append(ps, process{m, c, spans, provider.Tracer("test")})
	}
	return ps
}

// keyOf finds a key that p owns.
func keyOf(t *testing.T, p process) string {
	t.Helper()
	var key string
	testenv.Eventually(t, 10*time.Second, "an owner of each key", func() bool {
		for r := 'a'; r <= 'z'; r++ {
			if p.m.Owner("words", string(r)) == p.m.ID() {
				key = string(r)
				return true
			}
		}
		return false
	})
	return key
}

func find(spans *tracetest.SpanRecorder, name string) sdktrace.ReadOnlySpan {
	for _, s := range spans.Ended() {
		if s.Name() == name {
			return s
		}
	}
	return nil
}

func TestALoadAtTheOwnerIsAChildOfTheReadersSpan(t *testing.T) {
	ps := processes(t, 2, loader.Of(func(_ context.Context, key string) (string, error) { return "word " + key, nil }))
	reader, owner := ps[0], ps[1]
	key := keyOf(t, owner)
	ctx, request := reader.trace.Start(t.Context(), "request")
	if v, err := reader.cache.Get(ctx, key); err != nil || v != "word "+key {
		t.Fatalf("Get gives %q, %v", v, err)
	}
	request.End()

	read := find(reader.spans, otelmesh.SpanRead)
	if read == nil || read.Parent().SpanID() != request.SpanContext().SpanID() {
		t.Fatalf("the read's span is %v, not a child of the request's", read)
	}
	var load sdktrace.ReadOnlySpan
	testenv.Eventually(t, 5*time.Second, "the load's span", func() bool {
		load = find(owner.spans, otelmesh.SpanLoad)
		return load != nil
	})
	if load.SpanContext().TraceID() != request.SpanContext().TraceID() || load.Parent().SpanID() != request.SpanContext().SpanID() || !load.Parent().IsRemote() {
		t.Fatalf("the load has parent %v in trace %v; want the request's %v", load.Parent(), load.SpanContext().TraceID(), request.SpanContext())
	}
}

func TestAReadThatNobodyTracesMakesNoSpan(t *testing.T) {
	p := processes(t, 1, loader.Of(func(context.Context, string) (string, error) { return "", errors.New("the origin is down") }))[0]
	if _, err := p.cache.Get(t.Context(), "k"); err == nil {
		t.Fatal("Get gives no error")
	}
	if s := find(p.spans, otelmesh.SpanRead); s != nil {
		t.Fatalf("there is a span %v", s)
	}
	load := find(p.spans, otelmesh.SpanLoad)
	if load == nil || len(load.Events()) != 1 {
		t.Fatalf("the load's span is %v; want one with the error", load)
	}
}

func TestAnInvalidationIsASpan(t *testing.T) {
	p := processes(t, 1, loader.Of(func(context.Context, string) (string, error) { return "v", nil }))[0]
	if err := p.cache.Invalidate(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	s := find(p.spans, otelmesh.SpanInvalidate)
	if s == nil || s.EndTime().Before(s.StartTime()) {
		t.Fatalf("the span is %v", s)
	}
}
func TestErrorsTellNoKeysEither(t *testing.T) {
	s := testenv.NATS(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	m, err := mesh.Join(ctx, s.Connect(t), mesh.Config{Name: "traced", Heartbeat: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Leave(ctx)
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	c, err := mesh.NewCache(m, "words", loader.Of(func(context.Context, string) (string, error) { return "", errors.New("down") }), mesh.Options{Observer: otelmesh.New(otelmesh.Options{TracerProvider: provider})})
	if err != nil {
		t.Fatal(err)
	}
	ctx2, sp := provider.Tracer("t").Start(ctx, "r")
	if _, err := c.Get(ctx2, "SECRET"); err == nil {
		t.Error("the load does not fail")
	}
	sp.End()
	for _, x := range spans.Ended() {
		if text := fmt.Sprint(x.Attributes(), x.Events(), x.Status()); strings.Contains(text, "SECRET") {
			t.Errorf("%s tells the key: %s", x.Name(), text)
		}
	}
}

// Exporters drop a whole batch of spans for one string that is not UTF-8.
func TestWhatIsNotUTF8IsMadeSo(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	o := otelmesh.New(otelmesh.Options{TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)), Keys: true})
	bad := "a\xff"
	o.Invalidate(t.Context(), mesh.InvalidateEvent{Cache: "c", Keys: []string{bad}, Tags: []string{bad, "b"}, Err: errors.New(bad)})
	_, ended := o.Load(t.Context(), mesh.LoadEvent{Cache: "c", Keys: []string{bad}})
	ended(errors.New(bad))
	if n := len(spans.Ended()); n != 2 {
		t.Fatalf("%d spans", n)
	}
	for _, s := range spans.Ended() {
		text := s.Status().Description
		for _, a := range s.Attributes() {
			text += a.Value.String()
		}
		for _, e := range s.Events() {
			for _, a := range e.Attributes {
				text += a.Value.String()
			}
		}
		if !utf8.ValidString(text) || !strings.Contains(text, "a\ufffd") {
			t.Errorf("%s says %q", s.Name(), text)
		}
	}
}
