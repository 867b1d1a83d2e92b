package node_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/node"
)

func ExampleParseCacheSpec() {
	spec, err := node.ParseCacheSpec("docs=file:/srv/docs,ttl=1m,bytes=256MiB")
	fmt.Println(spec.Name, spec.Origin, spec.Options.TTL, spec.Options.MaxBytes, err)
	_, err = node.ParseCacheSpec("docs=file:/srv/docs,tll=1m")
	fmt.Println(err)
	// Output:
	// docs file:/srv/docs 1m0s 268435456 <nil>
	// cache "docs": unknown option "tll": there are ttl, jitter, negative-ttl, refresh-ahead, stale-while-revalidate (swr), stale-if-error (sie), error-backoff, soft-timeout, max-isolation, bytes, replica-bytes, replica-ttl, load-timeout, max-loads, max-value, keep-slashes, latency (a comma that belongs to a URL is written %2C)
}

func TestACacheSpecIsNameOriginAndOptions(t *testing.T) {
	for _, c := range []struct {
		text    string
		name    string
		origin  string
		options mesh.Options
	}{
		{"a=file:.", "a", "file:.", mesh.Options{}},
		{"a=file:/x=y", "a", "file:/x=y", mesh.Options{}},
		{"a=file:/x,y", "a", "file:/x,y", mesh.Options{}},
		{"a=file:/x,b=c/d", "a", "file:/x,b=c/d", mesh.Options{}},
		{"A-b_9=https://h/{key}", "A-b_9", "https://h/{key}", mesh.Options{}},
		{"a=HTTP://h/{key}", "a", "HTTP://h/{key}", mesh.Options{}},
		{"a=http://h/?q={key},x&z=1", "a", "http://h/?q={key},x&z=1", mesh.Options{}},
		{"a=http://h/?f=1,k={key}", "a", "http://h/?f=1,k={key}", mesh.Options{}},
		{"a=http://h/a,b/{key},ttl=5s", "a", "http://h/a,b/{key}", mesh.Options{TTL: 5 * time.Second}},
		{"a=file:.,ttl=never", "a", "file:.", mesh.Options{TTL: mesh.NoExpiry}},
		{"a=file:.,bytes=10MB,replica-bytes=0,jitter=0", "a", "file:.",
			mesh.Options{MaxBytes: 10e6, ReplicaBytes: -1, Jitter: -1}},
		{"a=file:.,replica-bytes=1MiB,replica-ttl=3s,negative-ttl=1s,jitter=0.5,load-timeout=2s,max-loads=7,max-value=1GiB", "a", "file:.",
			mesh.Options{ReplicaBytes: 1 << 20, ReplicaTTL: 3 * time.Second, NegativeTTL: time.Second, Jitter: 0.5,
				LoadTimeout: 2 * time.Second, MaxLoads: 7, MaxValueBytes: 1 << 30}},
		{"a=file:.,negative-ttl=0,stale-while-revalidate=0,sie=0s,soft-timeout=0,max-isolation=0,refresh-ahead=0", "a", "file:.", mesh.Options{}},
		{"a=file:.,stale-while-revalidate=30s,stale-if-error=1h,error-backoff=2s,soft-timeout=100ms,refresh-ahead=0.8,max-isolation=10m", "a", "file:.",
			mesh.Options{StaleWhileRevalidate: 30 * time.Second, StaleIfError: time.Hour, ErrorBackoff: 2 * time.Second,
				SoftTimeout: 100 * time.Millisecond, RefreshAhead: 0.8, MaxIsolation: 10 * time.Minute}},
		{"a=http://h/a,b/{key},swr=1s,sie=1m", "a", "http://h/a,b/{key}",
			mesh.Options{StaleWhileRevalidate: time.Second, StaleIfError: time.Minute}},
	} {
		spec, err := node.ParseCacheSpec(c.text)
		want := node.CacheSpec{Name: c.name, Origin: c.origin, Options: c.options}
		if err != nil || !reflect.DeepEqual(spec, want) {
			t.Errorf("%s:\n got %+v, %v\nwant %+v", c.text, spec, err, want)
		}
	}
}

func TestOptionsOfAnOriginAreForItsKindAlone(t *testing.T) {
	for text, want := range map[string]node.CacheSpec{
		"a=http://h/{key},keep-slashes":        {Name: "a", Origin: "http://h/{key}", KeepSlashes: true},
		"a=HTTPS://h/{key},keep-slashes=true":  {Name: "a", Origin: "HTTPS://h/{key}", KeepSlashes: true},
		"a=http://h/{key},keep-slashes=false":  {Name: "a", Origin: "http://h/{key}"},
		"a=synthetic:1KiB,latency=1ms":         {Name: "a", Origin: "synthetic:1KiB", Latency: time.Millisecond},
		"a=synthetic:0,latency=0":              {Name: "a", Origin: "synthetic:0"},
		"a=http://h/{key}?a=1,keep-slashes=/x": {},
		"a=file:.,keep-slashes":                {},
		"a=synthetic:1KiB,keep-slashes":        {},
		"a=file:.,latency=1ms":                 {},
		"a=http://h/{key},latency=1ms":         {},
	} {
		spec, err := node.ParseCacheSpec(text)
		if refused := want.Name == ""; refused != (err != nil) || !refused && !reflect.DeepEqual(spec, want) {
			t.Errorf("%s:\n got %+v, %v\nwant %+v", text, spec, err, want)
		}
		if err != nil && !strings.Contains(err.Error(), "option keep-slashes") && !strings.Contains(err.Error(), "option latency") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestEveryOptionThatParsesIsAcceptedByTheMesh(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var specs []node.CacheSpec
	for i, options := range []string{
		"swr=1ms,sie=2ms,soft-timeout=1ms,error-backoff=1ms,max-isolation=1ms,refresh-ahead=0.99,negative-ttl=1ms",
		"sie=1h,soft-timeout=29s", "sie=1h,soft-timeout=1m,load-timeout=2m", "ttl=never,error-backoff=1s,max-isolation=1s",
	} {
		spec, err := node.ParseCacheSpec(fmt.Sprintf("c%d=synthetic:1KiB,%s", i, options))
		if err != nil {
			t.Fatal(err)
		}
		specs = append(specs, spec)
	}
	n, err := node.Start(ctx, node.Config{Embed: true, EmbedAddr: "127.0.0.1:0", Heartbeat: 50 * time.Millisecond,
		Caches: specs, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Leave(ctx); err != nil {
		t.Error(err)
	}
}

func TestABadCacheSpecIsRefusedWithWhatWouldBeRight(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "write NAME=ORIGIN",
		"docs":                              "write NAME=ORIGIN",
		"=file:.":                           "write NAME=ORIGIN",
		"docs=":                             "write NAME=ORIGIN",
		"a.b=file:.":                        `cache name "a.b": it must be 1 to 64 of`,
		strings.Repeat("x", 65) + "=file:.": "it must be 1 to 64 of",
		"a=.":                               "write file:.",
		"a=./docs":                          "write file:./docs",
		"a=ftp://h/{key}":                   "there are file, http, https, synthetic",
		"a=file:":                           "names no directory",
		"a=http://h/x":                      "{key}",
		"a=http:///{key}":                   "needs a host",
		"a=http://h:port/{key}":             "invalid port",
		"a=file:.,tll=1m":                   `unknown option "tll": there are ttl, jitter`,
		"a=file:.,TTL=1m":                   `unknown option "TTL"`,
		"a=file:.,tll=1m,bytes=1MiB":        `unknown option "tll"`,
		"a=file:.,ttl":                      "option ttl has no value",
		"a=file:.,ttl=":                     "option ttl has no value",
		"a=file:.,":                         "an option is empty",
		"a=file:.,ttl=1m,ttl=2m":            "option ttl is given twice",
		"a=file:.,ttl=5":                    `option ttl: "5" is not a duration such as 90s or 5m, or "never"`,
		"a=file:.,ttl=0":                    "at least 1ms",
		"a=file:.,ttl=-1s":                  "at least 1ms",
		"a=file:.,ttl=1/2":                  "option ttl",
		"a=file:.,bytes=12M":                `"12M" is not a size: write a number of bytes such as 4096, 10MB or 64MiB`,
		"a=file:.,bytes=-1":                 "is not a size",
		"a=file:.,bytes=1":                  "at least 64KiB",
		"a=file:.,bytes=9999999999GiB":      "too large",
		"a=file:.,jitter=2":                 "a share from 0 to 1",
		"a=file:.,jitter=NaN":               "a share from 0 to 1",
		"a=file:.,max-loads=0":              "a number of at least 1",
		"a=file:.,max-loads=many":           "a number of at least 1",
		"a=file:.,max-value=0":              "1 byte to 1GiB",
		"a=file:.,max-value=2GiB":           "1 byte to 1GiB",
		"a=file:.,negative-ttl=1us":         "at least 1ms",
		"a=http://h/{key}?a=1,b=2":          "%2C",
		"a=file:.,swr=5":                    `option swr: "5" is not a duration such as 5s, or 0`,
		"a=file:.,swr=1us":                  "option swr: \"1us\" is too short: it must be at least 1ms",
		"a=file:.,swr":                      "option swr has no value: write swr=VALUE",
		"a=file:.,swr=1s,stale-while-revalidate=2s": "option stale-while-revalidate is given twice",
		"a=file:.,sie=soon":                         "option sie",
		"a=file:.,error-backoff=0":                  "option error-backoff",
		"a=file:.,max-isolation=-1s":                "option max-isolation",
		"a=file:.,refresh-ahead=1":                  `option refresh-ahead: "1" is not a share of the ttl from 0 to below 1`,
		"a=file:.,refresh-ahead=80%":                "option refresh-ahead",
		"a=file:.,refresh-ahead=NaN":                "option refresh-ahead",
		"a=file:.,soft-timeout=1s":                  "option soft-timeout needs stale-if-error",
		"a=file:.,soft-timeout=1s,swr=1h":           "option soft-timeout needs stale-if-error",
		"a=file:.,soft-timeout=1s,swr=1h,sie=1m":    "stale-if-error (1m0s) to be longer than stale-while-revalidate (1h0m0s)",
		"a=file:.,soft-timeout=30s,sie=1h":          "option soft-timeout (30s) must be less than load-timeout (30s)",
		"a=file:.,ttl=never,swr=1s":                 "option ttl=never",
		"a=file:.,ttl=never,refresh-ahead=0.5":      "option ttl=never",
		"a=http://h/{key},keep-slashes=yes":         `option keep-slashes: "yes" is not true or false`,
		"a=http://h/{key},keep-slashes=":            "option keep-slashes has no value",
		"a=synthetic:":                              "origin synthetic: \"\" is not a size: write a number of bytes such as",
		"a=synthetic:1KiB-":                         "\"\" is not a size",
		"a=synthetic:2KiB-1KiB":                     "write LEAST-MOST",
		"a=synthetic:0-1KiB":                        "write LEAST-MOST",
		"a=synthetic:1KiB-65MiB":                    "over max-value, which is 67108864",
		"a=synthetic:1M":                            "is not a size",
		"a=synthetic:65MiB":                         "over max-value, which is 67108864",
		"a=synthetic:2KiB,max-value=1KiB":           "over max-value",
		"a=synthetic:1KiB,latency=30s":              "option latency (30s) must be less than load-timeout (30s)",
		"a=synthetic:1KiB,latency=-1s":              "option latency",
	} {
		_, err := node.ParseCacheSpec(text)
		if !errors.Is(err, node.ErrConfig) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an ErrConfig with %q", text, err, want)
		}
	}
}

func TestAPasswordInAnOriginIsNotShownInErrors(t *testing.T) {
	_, err := node.ParseCacheSpec("a=https://user:secret@h/x")
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}

func FuzzParseCacheSpec(f *testing.F) {
	f.Add("docs=file:/srv/docs,ttl=1m,bytes=256MiB")
	f.Add("a=http://h/?q={key},x&z=1,jitter=0.1")
	f.Add("a=file:.,,,=")
	f.Fuzz(func(t *testing.T, text string) {
		spec, err := node.ParseCacheSpec(text)
		if err != nil && !errors.Is(err, node.ErrConfig) {
			t.Fatalf("%q: %v is no ErrConfig", text, err)
		}
		if err == nil && !strings.HasPrefix(text, spec.Name+"="+spec.Origin) {
			t.Fatalf("%q was read as %+v", text, spec)
		}
	})
}
