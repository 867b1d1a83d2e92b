// Package otelmesh traces a cache with OpenTelemetry.
//
// An Observer makes a span of each read whose caller is being traced, of each
// load, and of each invalidation. The traceparent of a read travels with its question,
// so that the load which the owner makes for it, in another process, is in the same trace:
// a child of the span that the caller read in, beside the read's own. Reads that share the
// load have a span each, and no load beside it.
//
//	users, err := mesh.NewCache(m, "users", from, mesh.Options{Observer: otelmesh.New(otelmesh.Options{})})
//
// Programs that do not import this package compile nothing of OpenTelemetry.
package otelmesh

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/cachemesh/cachemesh/mesh"
)

// scope names the instrumentation in spans.
const scope = "github.com/cachemesh/cachemesh/mesh/otelmesh"

// Names of spans.
const (
	SpanRead       = "cachemesh.read"
	SpanLoad       = "cachemesh.load"
	SpanInvalidate = "cachemesh.invalidate"
)

// Attributes of spans.
const (
	AttrCache      = attribute.Key("cachemesh.cache")
	AttrKey        = attribute.Key("cachemesh.key")        // only with Options.Keys
	AttrKeyCount   = attribute.Key("cachemesh.key_count")  // of a load or an invalidation
	AttrTags       = attribute.Key("cachemesh.tags")       // of an invalidation by tags
	AttrSource     = attribute.Key("cachemesh.source")     // of a read: mesh.Source in words
	AttrStale      = attribute.Key("cachemesh.stale")      // of a read
	AttrBackground = attribute.Key("cachemesh.background") // of a load that nobody waits for
)

// Options says what is traced, and where to. The zero value works.
type Options struct {
	// TracerProvider makes the spans. Default: OpenTelemetry's global one.
	TracerProvider trace.TracerProvider
	// Keys puts keys on the spans of reads, and of loads and invalidations of one
	// key. They may be secrets. What is not UTF-8 in them
	// becomes U+FFFD, as in tags and errors. Default: not.
	Keys bool
}

// Observer makes spans. It implements mesh.Observer and may be shared by caches.
type Observer struct {
	tracer trace.Tracer
	keys   bool
}

var _ mesh.Observer = (*Observer)(nil)

// New makes an Observer.
func New(o Options) *Observer {
	if o.TracerProvider == nil {
		o.TracerProvider = otel.GetTracerProvider()
	}
	return &Observer{tracer: o.TracerProvider.Tracer(scope, trace.WithInstrumentationVersion(mesh.Version)), keys: o.Keys}
}

// traceContext reads and writes the one header that travels.
var traceContext propagation.TraceContext

const traceparent = "traceparent"

// Trace gives the traceparent of ctx, "" where nobody traces.
func (o *Observer) Trace(ctx context.Context) string {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	traceContext.Inject(ctx, carrier)
	return carrier[traceparent]
}

// Read makes a span of a read whose caller's span is recorded.
func (o *Observer) Read(ctx context.Context, e mesh.ReadEvent) {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return
	}
	attrs := []attribute.KeyValue{AttrCache.String(e.Cache)}
	if o.keys {
		attrs = append(attrs, AttrKey.String(valid(e.Key)))
	}
	if e.Err == nil {
		attrs = append(attrs, AttrSource.String(e.Source.String()), AttrStale.Bool(e.Stale))
	}
	o.past(ctx, SpanRead, e.Took, e.Err, attrs)
}

// Load makes a span of a load, beneath the one that the caller whom it is for read in, wherever that was.
func (o *Observer) Load(ctx context.Context, e mesh.LoadEvent) (context.Context, func(error)) {
	if e.Trace != "" {
		ctx = traceContext.Extract(ctx, propagation.MapCarrier{traceparent: e.Trace})
	}
	attrs := []attribute.KeyValue{AttrCache.String(e.Cache), AttrKeyCount.Int(len(e.Keys)), AttrBackground.Bool(e.Background)}
	if o.keys && len(e.Keys) == 1 {
		attrs = append(attrs, AttrKey.String(valid(e.Keys[0])))
	}
	ctx, span := o.tracer.Start(ctx, SpanLoad, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attrs...))
	return ctx, func(err error) {
		o.failed(span, err)
		span.End()
	}
}

// Invalidate makes a span of an invalidation.
func (o *Observer) Invalidate(ctx context.Context, e mesh.InvalidateEvent) {
	attrs := []attribute.KeyValue{AttrCache.String(e.Cache), AttrKeyCount.Int(len(e.Keys))}
	if len(e.Tags) > 0 {
		tags := make([]string, len(e.Tags))
		for i, tag := range e.Tags {
			tags[i] = valid(tag)
		}
		attrs = append(attrs, AttrTags.StringSlice(tags))
	}
	if o.keys && len(e.Keys) == 1 {
		attrs = append(attrs, AttrKey.String(valid(e.Keys[0])))
	}
	o.past(ctx, SpanInvalidate, e.Took, e.Err, attrs)
}

// past makes a span of what has ended now and took that long.
func (o *Observer) past(ctx context.Context, name string, took time.Duration, err error, attrs []attribute.KeyValue) {
	end := time.Now()
	_, span := o.tracer.Start(ctx, name, trace.WithTimestamp(end.Add(-took)), trace.WithAttributes(attrs...))
	o.failed(span, err)
	span.End(trace.WithTimestamp(end))
}

// failed notes an error. "Not found" is an answer, and no error of the span. Where keys are
// not told, nor is the text of an error that may quote them, but for the origin's own.
func (o *Observer) failed(span trace.Span, err error) {
	if err == nil || errors.Is(err, mesh.ErrNotFound) {
		return
	}
	if !o.keys {
		err = withoutKeys(err)
	}
	if text := err.Error(); !utf8.ValidString(text) {
		err = errors.New(valid(text))
	}
	span.RecordError(err)
	span.SetStatus(codes.Error, err.Error())
}

// valid is text as exporters take it: one string that is not UTF-8 costs them a whole batch of
// spans, the program's own among them.
func valid(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

// withoutKeys is an error in the place of one of mesh's that names keys.
func withoutKeys(err error) error {
	var load *mesh.LoadError
	if errors.As(err, &load) {
		return load.Err
	}
	for _, kind := range []error{mesh.ErrBadKey, mesh.ErrTooLarge, mesh.ErrOverloaded} {
		if errors.Is(err, kind) {
			return kind
		}
	}
	return err
}
