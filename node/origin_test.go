package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
)

func TestASyntheticOriginHasAValueOfItsSizeUnderEveryKey(t *testing.T) {
	cfg := embedded
	for _, size := range []string{"0", "1", "1KiB", "3MiB"} {
		cfg.Caches = append(cfg.Caches, CacheSpec{Name: "s" + size, Origin: "synthetic:" + size, Options: mesh.Options{ReplicaBytes: -1}})
	}
	owner := start(t, cfg)
	reader := start(t, Config{NATS: owner.URL(), Reader: true})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for name, size := range map[string]int{"s0": 0, "s1": 1, "s1KiB": 1 << 10, "s3MiB": 3 << 20} {
		cache, err := mesh.NewCache[[]byte](reader.Mesh(), name, nil, mesh.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			value, err := cache.Get(ctx, fmt.Sprint("key-", i))
			if err != nil || len(value) != size {
				t.Errorf("%s: %d bytes, %v", name, len(value), err)
			}
		}
	}
}

func TestSyntheticValuesAreTheKeysOwnAndAlwaysTheSame(t *testing.T) {
	load := func(key string) []byte {
		item, err := synthetic{least: 100, most: 100}.Load(t.Context(), loader.Request[[]byte]{Key: key})
		if err != nil {
			t.Fatal(err)
		}
		return item.Value
	}
	a, again, b := load("a"), load("a"), load("b")
	if !bytes.Equal(a, again) || bytes.Equal(a, b) {
		t.Errorf("a: %x\na: %x\nb: %x", a, again, b)
	}
	if &a[0] == &again[0] {
		t.Error("two loads share their memory")
	}
}

func TestSyntheticSizesSpreadOverTheirRange(t *testing.T) {
	spec := CacheSpec{Name: "a", Origin: "synthetic:100-100kB"}
	s, err := newSynthetic(spec)
	if err != nil {
		t.Fatal(err)
	}
	var decades [3]int
	for i := range 3000 {
		item, err := s.Load(t.Context(), loader.Request[[]byte]{Key: fmt.Sprint("key-", i)})
		if err != nil {
			t.Fatal(err)
		}
		n := len(item.Value)
		if n < 100 || n > 100_000 {
			t.Fatalf("%d bytes", n)
		}
		decades[min(len(strconv.Itoa(n))-3, 2)]++
	}
	for i, n := range decades {
		if n < 850 || n > 1150 {
			t.Errorf("%d of 3000 values in decade %d, want about a third", n, i)
		}
	}
	if least, most := s.sizeOf(0), s.sizeOf(math.MaxUint64); least != 100 || most != 100_000 {
		t.Errorf("sizes from %d to %d, want both ends of the range", least, most)
	}
}

func TestASyntheticLoadTakesItsLatencyAndEndsWithItsContext(t *testing.T) {
	began := time.Now()
	if _, err := (synthetic{latency: 20 * time.Millisecond}).Load(t.Context(), loader.Request[[]byte]{Key: "a"}); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took < 20*time.Millisecond {
		t.Errorf("it took %v", took)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	began = time.Now()
	_, err := synthetic{latency: time.Minute}.Load(ctx, loader.Request[[]byte]{Key: "a"})
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

func TestKeepSlashesMakesKeysPaths(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.URL.EscapedPath())
	}))
	defer server.Close()
	for option, want := range map[string]string{"": "/x/a%2Fb%20c", ",keep-slashes": "/x/a/b%20c"} {
		spec, err := ParseCacheSpec("api=" + server.URL + "/x/{key}" + option)
		if err != nil {
			t.Fatal(err)
		}
		kind, err := findOrigin(spec)
		if err != nil {
			t.Fatal(err)
		}
		from, err := kind.open(spec, originEnv{maxValue: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		item, err := from.Load(t.Context(), loader.Request[[]byte]{Key: "a/b c"})
		if err != nil || string(item.Value) != want {
			t.Errorf("%q: asked for %s, %v, want %s", option, item.Value, err, want)
		}
	}
}
