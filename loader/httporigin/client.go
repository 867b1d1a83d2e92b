package httporigin

import (
	"fmt"
	"net/http"
	"time"
)

// DefaultTimeout is the default of Options.Timeout: a minute.
const DefaultTimeout = time.Minute

const (
	maxRedirects = 10
	// maxIdlePerHost fits an origin that is one host: the two of net/http would
	// open and close a connection for nearly every load.
	maxIdlePerHost = 64
)

// defaultClient returns a client with connections of its own; 0 is no timeout.
func defaultClient(timeout time.Duration) *http.Client {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment}
	if t, ok := http.DefaultTransport.(*http.Transport); ok {
		transport = t.Clone()
	}
	transport.MaxIdleConns = 4 * maxIdlePerHost
	transport.MaxIdleConnsPerHost = maxIdlePerHost
	transport.ResponseHeaderTimeout = timeout / 2
	return &http.Client{Transport: transport, Timeout: timeout}
}

// withRedirects returns the client with rules for redirects, before its own.
// own are the headers of Options: they are meant for the server of the template,
// and net/http would hand all but a few to any other.
func withRedirects(client *http.Client, own http.Header) *http.Client {
	c := *client
	next := c.CheckRedirect
	c.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if len(via) >= maxRedirects {
			return fmt.Errorf("more than %d redirects", maxRedirects)
		}
		if req.URL.Scheme != "http" && req.URL.Scheme != "https" {
			return fmt.Errorf("a redirect to scheme %q: it must be http or https", req.URL.Scheme)
		}
		if first := via[0].URL; req.URL.Host != first.Host || req.URL.Scheme != first.Scheme {
			for name := range own {
				req.Header.Del(name)
			}
		}
		if next != nil {
			return next(req, via)
		}
		return nil
	}
	return &c
}
