package httporigin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/cachemesh/cachemesh/loader"
)

// mostETag is how long an ETag may be to be used: caches have bounds, and it is optional.
const mostETag = 4 << 10

// DefaultMaxBytes is the default of Options.MaxBytes: 64 MiB.
const DefaultMaxBytes = 64 << 20

// Options say how values are requested. The zero value is ready.
type Options struct {
	// KeepSlashes leaves the slashes of a key as they are in the path, so that
	// keys are paths. By default they are escaped, as %2F.
	KeepSlashes bool

	// MaxBytes is the size of the largest body; larger ones are ErrTooLarge. A
	// compressed body counts as uncompressed. Default DefaultMaxBytes.
	MaxBytes int64

	// Header goes with each request, and with redirects that stay on the same
	// scheme and host. It is copied. Default: none.
	Header http.Header

	// Client sends the requests. It is not modified; its CheckRedirect is asked
	// after this package's rules: at most 10 redirects, to http and https only.
	// Default: a client with Timeout and connections of its own.
	Client *http.Client

	// Timeout bounds a whole load with the default client, its body included; its headers
	// have half of that. The context of a load may end it sooner. A Client of your own has
	// its own. Default DefaultTimeout; negative: the context alone bounds a load.
	Timeout time.Duration
}

// Origin is a loader.Loader of what an HTTP server answers. It is safe for
// concurrent use.
type Origin struct {
	template *template
	maxBytes int64
	header   http.Header
	client   *http.Client
	// owned says that the client's connections are the origin's, to be closed.
	owned bool
}

var _ loader.Loader[[]byte] = (*Origin)(nil)

// New returns the origin of a URL template with at least one {key}, in its path
// or query. It sends nothing.
func New(template string, opts Options) (*Origin, error) {
	t, err := parse(template, opts.KeepSlashes)
	if err != nil {
		return nil, err
	}
	if opts.MaxBytes < 0 {
		return nil, fmt.Errorf("httporigin: MaxBytes is %d: it must be positive, or 0 for %d", opts.MaxBytes, DefaultMaxBytes)
	}
	o := &Origin{template: t, maxBytes: opts.MaxBytes, header: opts.Header.Clone(), client: opts.Client}
	if o.maxBytes == 0 {
		o.maxBytes = DefaultMaxBytes
	}
	if o.client == nil {
		if opts.Timeout == 0 {
			opts.Timeout = DefaultTimeout
		}
		o.client, o.owned = defaultClient(max(0, opts.Timeout)), true
	}
	o.client = withRedirects(o.client, o.header)
	return o, nil
}

// Close closes the idle connections of the default client; a client of Options
// is its owner's. The origin still works afterwards.
func (o *Origin) Close() error {
	if o.owned {
		o.client.CloseIdleConnections()
	}
	return nil
}

// Load requests the key. 200 and 203 are values; 304 is NotModified if req.Prev
// has an ETag, with the TTL that its own headers give; 404 and 410 are loader.ErrNotFound, as is the *KeyError of a key
// that would leave its place in the path; all else is a *StatusError. The item's
// TTL is what Cache-Control leaves of s-maxage or max-age after Age; negative for
// no-cache, and for a value that is stale already; no-store and private are
// NoStore. A body that ends early is an error.
func (o *Origin) Load(ctx context.Context, req loader.Request[[]byte]) (loader.Item[[]byte], error) {
	var none loader.Item[[]byte]
	target, err := o.template.url(req.Key)
	if err != nil {
		return none, err
	}
	prevTag := ""
	if req.Prev != nil {
		prevTag = req.Prev.ETag
	}
	hr, err := o.request(ctx, target, prevTag)
	if err != nil {
		return none, failed(ctx, target, err)
	}
	resp, err := o.client.Do(hr)
	if err != nil {
		return none, failed(ctx, target, err)
	}
	defer resp.Body.Close()
	// Redirects may have led elsewhere: errors name who has answered.
	target = resp.Request.URL.String()

	switch code := resp.StatusCode; {
	case code == http.StatusOK, code == http.StatusNonAuthoritativeInfo:
		item := itemOf(resp)
		if item.Value, err = o.body(resp); err != nil {
			return none, failed(ctx, target, err)
		}
		return item, nil
	case code == http.StatusNotModified && prevTag != "":
		item := itemOf(resp)
		item.NotModified = true
		if item.ETag == "" {
			item.ETag = prevTag
		}
		return item, nil
	case code == http.StatusNotFound, code == http.StatusGone:
		snippet(resp)
		return none, fmt.Errorf("httporigin: %s: %d: %w", redacted(target), code, loader.ErrNotFound)
	default:
		return none, &StatusError{Code: code, URL: redacted(target), Snippet: snippet(resp)}
	}
}

func (o *Origin) request(ctx context.Context, target, prevTag string) (*http.Request, error) {
	hr, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, err
	}
	for name, values := range o.header {
		hr.Header[http.CanonicalHeaderKey(name)] = values
	}
	if host := hr.Header.Get("Host"); host != "" {
		hr.Host = host // net/http takes it from here alone
	}
	// Conditions are the origin's: those of Options would be about other values.
	hr.Header.Del("If-None-Match")
	if prevTag != "" {
		hr.Header.Set("If-None-Match", prevTag)
	}
	return hr, nil
}

func itemOf(resp *http.Response) loader.Item[[]byte] {
	item := loader.Item[[]byte]{ETag: resp.Header.Get("ETag")}
	if len(item.ETag) > mostETag { // a cache that refuses it would lose the value
		item.ETag = ""
	}
	item.TTL, item.NoStore = lifetime(resp.Header)
	return item
}

// body reads the whole body, within the limit.
func (o *Origin) body(resp *http.Response) ([]byte, error) {
	if resp.ContentLength > o.maxBytes {
		return nil, fmt.Errorf("%w: it has %d bytes, the limit is %d", ErrTooLarge, resp.ContentLength, o.maxBytes)
	}
	if resp.ContentLength >= 0 {
		value := make([]byte, resp.ContentLength)
		_, err := io.ReadFull(resp.Body, value)
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return value, err
	}
	value, err := io.ReadAll(io.LimitReader(resp.Body, o.maxBytes))
	if err != nil {
		return nil, err
	}
	// Reading on finds what is past the limit, and whether the end is the end.
	n, err := io.ReadFull(resp.Body, make([]byte, 1))
	switch {
	case n > 0:
		return nil, fmt.Errorf("%w: it has more than %d bytes, the limit", ErrTooLarge, o.maxBytes)
	case err != io.EOF:
		return nil, err
	}
	return value, nil
}

// snippet returns the beginning of the body, and reads a little more of it so
// that the connection can be used again.
func snippet(resp *http.Response) string {
	head, _ := io.ReadAll(io.LimitReader(resp.Body, 256))
	io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	return string(head)
}

// failed names the URL in an error, without user and password. If ctx is done,
// that is the reason, whatever the client calls it.
func failed(ctx context.Context, target string, err error) error {
	var of *url.Error
	if errors.As(err, &of) {
		err = of.Err // the outer error names the URL as well
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return fmt.Errorf("httporigin: %s: %w", redacted(target), err)
}
