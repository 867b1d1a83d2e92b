package mesh_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/cachemesh/cachemesh/internal/natsd"
	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/testenv"
)

// payloads are servers' limits on a message that members must live with.
var payloads = []int{8 << 10, 64 << 10}

func TestValuesLargerThanASmallMessageTravel(t *testing.T) {
	for _, most := range payloads {
		t.Run(fmt.Sprint(most), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, testenv.NATS(t, testenv.MaxPayload(most)))
			r.grow(3)
			sizes := []int{0, 1, 1000, 2040, 2048, 2060, 4090, 8 << 10, 30 << 10, 32 << 10, 64 << 10, 1 << 20}
			for _, size := range sizes {
				for _, owner := range []string{"m0", "m1", "m2"} {
					_, owned := r.keys(60, owner)
					key := owned[len(owned)-1] + fmt.Sprint("/", size)
					value := bytes.Repeat([]byte{'v'}, size)
					r.origin.Set(key, value)
					for _, m := range r.all {
						got, err := m.cache.Get(r.within(3*time.Second), key)
						if err != nil || !bytes.Equal(got, value) {
							t.Errorf("%d bytes through %s: %d bytes, %v", size, m.ID(), len(got), err)
						}
					}
				}
			}
			// Many that fit into one message alone travel in several.
			var keys []string
			for i := range 300 {
				keys = append(keys, fmt.Sprint("many", i))
				r.origin.Set(keys[i], []byte(strings.Repeat("x", 700)))
			}
			r.readAll(keys, r.all...)
			if n := r.all[0].cache.Stats().Unreached + r.all[1].cache.Stats().Unreached + r.all[2].cache.Stats().Unreached; n > 0 {
				t.Errorf("%d questions have not been answered", n)
			}
			if n := r.origin.Loads(); n != 3*len(sizes)+len(keys) {
				t.Errorf("%d loads", n)
			}
		})
	}
}

func TestErrorsThatDoNotFitAreCut(t *testing.T) {
	t.Parallel()
	r := newRig(t, testenv.NATS(t, testenv.MaxPayload(8<<10)))
	r.grow(2)
	r.origin.Fail(errors.New(strings.Repeat("words ", 20_000)))
	keys, _ := r.keys(40, "")
	for _, m := range r.all {
		began := time.Now()
		_, err := m.cache.GetMany(r.within(3*time.Second), keys)
		var many *mesh.KeysError
		if !errors.As(err, &many) || len(many.Errs) != len(keys) {
			t.Fatalf("%v", err)
		}
		for key, err := range many.Errs {
			var load *mesh.LoadError
			if !errors.As(err, &load) || !strings.Contains(err.Error(), "words words") {
				t.Fatalf("%s: %.200v after %v", key, err, time.Since(began))
			}
		}
	}
}

func TestKeysLargerThanASmallMessageWork(t *testing.T) {
	for _, most := range payloads {
		t.Run(fmt.Sprint(most), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, testenv.NATS(t, testenv.MaxPayload(most)))
			r.grow(3)
			var keys []string
			for _, n := range []int{3000, 5000, 8000, 60_000, 65_536} {
				for i := range 3 {
					keys = append(keys, fmt.Sprintf("%d%s", i, strings.Repeat("k", n-1)))
				}
			}
			began := time.Now()
			for _, m := range r.all {
				for _, key := range keys {
					if v, err := m.cache.Get(r.within(3*time.Second), key); err != nil || keyOfValue(v) != key {
						t.Errorf("a key of %d bytes through %s: %v", len(key), m.ID(), err)
					}
				}
			}
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("it took %v", took)
			}
			for i, key := range keys {
				before := r.origin.LoadsOf(key)
				if err := r.all[i%3].cache.Invalidate(r.within(3*time.Second), key); err != nil {
					t.Errorf("invalidate a key of %d bytes: %v", len(key), err)
				}
				for _, m := range r.all {
					v, err := m.cache.Get(r.within(3*time.Second), key)
					n := 0
					if err == nil {
						_, err = fmt.Sscanf(string(v[len(key)+1:]), "%d", &n)
					}
					if err != nil || n <= before {
						t.Errorf("a key of %d bytes on %s is of load %d of %d, %v", len(key), m.ID(), n, before, err)
					}
				}
			}
		})
	}
}

func TestLargeSetsOfInvalidationsAreSplit(t *testing.T) {
	for _, most := range payloads {
		t.Run(fmt.Sprint(most), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, testenv.NATS(t, testenv.MaxPayload(most)))
			r.config.Lease = 20 * time.Second // a slow machine must not have anybody evicted
			r.grow(3)
			keys, _ := r.keys(20_000, "")
			r.fill(keys[:500], r.all...)
			r.fill(keys[19_500:], r.all...)
			if err := r.all[1].cache.Invalidate(r.within(20*time.Second), keys...); err != nil {
				t.Fatal(err)
			}
			for _, m := range r.all {
				for _, key := range append(keys[:500:500], keys[19_500:]...) {
					if v, err := m.cache.Get(r.within(5*time.Second), key); err != nil || keyOfValue(v) != key || string(v) == key+"#1" {
						t.Fatalf("%s on %s is %q, %v", key, m.ID(), v, err)
					}
				}
			}
		})
	}
}

// A key that is invalidated again and again, faster than heartbeats show it, must not make questions that no message holds.
func TestManyInvalidationsOfOneKeyFitInAQuestion(t *testing.T) {
	t.Parallel()
	r := newRig(t, testenv.NATS(t, testenv.MaxPayload(8<<10)))
	r.grow(2)
	_, owned := r.keys(20, "m1")
	key := owned[0]
	r.all[1].link.Drop(1, testenv.ToClient)
	for range 2000 {
		_ = r.all[0].cache.Invalidate(r.within(time.Microsecond), key)
	}
	r.all[1].link.Heal()
	began := time.Now()
	v, err := r.all[0].cache.Get(r.within(3*time.Second), key)
	if err != nil || keyOfValue(v) != key {
		t.Errorf("%q, %v after %v", v, err, time.Since(began))
	}
	if n := r.all[0].cache.Stats().Unreached; n > 0 {
		t.Error("the owner was not reached")
	}
}

// Members learn of it when they are connected again; what they have told is told in smaller messages, or as all of the cache.
func TestAServerThatComesBackWithASmallerLimitStopsNothing(t *testing.T) {
	t.Parallel()
	serve := func(port, most int) *natsd.Server {
		s, err := natsd.Start(natsd.Config{Port: port, MaxPayload: most, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Shutdown)
		return s
	}
	s := serve(natsd.RandomPort, 1<<20)
	origin := testenv.NewOrigin()
	within := func(d time.Duration) context.Context {
		ctx, cancel := context.WithTimeout(context.Background(), d)
		t.Cleanup(cancel)
		return ctx
	}
	join := func(id string) (*mesh.Mesh, *mesh.Cache[[]byte]) {
		t.Helper()
		nc, err := nats.Connect(s.URL(), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		m, err := mesh.Join(within(20*time.Second), nc, mesh.Config{ID: id, Heartbeat: rigBeat, Lease: 20 * time.Second, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		c, err := mesh.NewCache(m, "c", origin, mesh.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return m, c
	}
	m0, c0 := join("m0")
	m1, c1 := join("m1")
	testenv.Eventually(t, 20*time.Second, "they agree", func() bool { return len(names(m0)) == 2 && len(names(m1)) == 2 })
	long := strings.Repeat("k", 50_000)
	if err := c0.Invalidate(within(20*time.Second), long); err != nil { // it is in the log of both
		t.Fatal(err)
	}
	port := s.Port()
	s.Shutdown()
	s = serve(port, 32<<10)
	keys := []string{long}
	for i := range 2000 {
		keys = append(keys, fmt.Sprint(i, strings.Repeat("x", 40)))
	}
	for _, c := range []*mesh.Cache[[]byte]{c0, c1} {
		if err := c.Invalidate(within(20*time.Second), keys...); err != nil {
			t.Error(err)
		}
	}
	m2, _ := join("m2")
	if got := names(m2); len(got) != 3 {
		t.Errorf("who joins counts %v", got)
	}
	if got, err := c0.GetMany(within(20*time.Second), keys); err != nil || len(got) != len(keys) {
		t.Errorf("%d values, %v", len(got), err)
	}
}

func TestJoinRefusesAServerWhoseMessagesAreTooSmall(t *testing.T) {
	nc := testenv.NATS(t, testenv.MaxPayload(2<<10)).Connect(t)
	_, err := mesh.Join(t.Context(), nc, mesh.Config{})
	wantText(t, err, "2048 bytes", "4096 at least", "max_payload")
}

func TestAMeshWorksWithTheSmallestMessages(t *testing.T) {
	t.Parallel()
	r := newRig(t, testenv.NATS(t, testenv.MaxPayload(4<<10)))
	r.grow(3)
	keys, _ := r.keys(500, "")
	r.fill(keys, r.all...)
	if err := r.all[1].cache.Invalidate(r.within(10*time.Second), keys...); err != nil {
		t.Error(err)
	}
	r.join("late")
	r.readAll(keys, r.all...)
	for _, n := range []int{1000, 3000, 3900, 5000} {
		key := strings.Repeat("k", n)
		if _, err := r.all[0].cache.Get(r.within(5*time.Second), key); err != nil {
			t.Errorf("get of a key of %d bytes: %v", n, err)
		}
		if err := r.all[1].cache.Invalidate(r.within(5*time.Second), key); err != nil {
			t.Errorf("invalidate of a key of %d bytes: %v", n, err)
		}
	}
}
