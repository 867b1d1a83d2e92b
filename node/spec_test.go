package node_test

import (
	"errors"
	"fmt"
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
	// cache "docs": unknown option "tll": there are ttl, bytes, replica-bytes, replica-ttl, negative-ttl, jitter, load-timeout, max-loads, max-value (a comma that belongs to a URL is written %2C)
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
		{"a=file:.,negative-ttl=0", "a", "file:.", mesh.Options{}},
	} {
		spec, err := node.ParseCacheSpec(c.text)
		want := node.CacheSpec{Name: c.name, Origin: c.origin, Options: c.options}
		if err != nil || !reflect.DeepEqual(spec, want) {
			t.Errorf("%s:\n got %+v, %v\nwant %+v", c.text, spec, err, want)
		}
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
		"a=ftp://h/{key}":                   "there are file, http, https",
		"a=file:":                           "names no directory",
		"a=http://h/x":                      "{key}",
		"a=http:///{key}":                   "needs a host",
		"a=http://h:port/{key}":             "invalid port",
		"a=file:.,tll=1m":                   `unknown option "tll": there are ttl, bytes`,
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
