package promise_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/testenv/promise"
)

// toy is a mesh of caches that share a mutex instead of messages. It keeps all promises unless it is told to break one.
type toy struct {
	bug string

	mu      sync.Mutex // guards the rest, the members' stores included
	members []*toyMember
	flights map[string]*toyFlight // by key; by member and key with the bug "flights"
	epochs  map[string]int        // of a key: how often it was invalidated
}

type toyMember struct {
	mesh  *toy
	id    string
	from  loader.Loader[[]byte]
	store map[string][]byte
}

type toyFlight struct {
	done  chan struct{}
	epoch int
	value []byte
	err   error
}

func newToy(n int, bug string, r *promise.Recorder) *toy {
	y := &toy{bug: bug, flights: map[string]*toyFlight{}, epochs: map[string]int{}}
	for i := range n {
		id := fmt.Sprint("m", i)
		y.members = append(y.members, &toyMember{mesh: y, id: id, from: r.Loader(id), store: map[string][]byte{}})
	}
	return y
}

func (m *toyMember) ID() string { return m.id }

func (m *toyMember) Members() []mesh.Member {
	var all []mesh.Member
	for _, o := range m.mesh.members {
		all = append(all, mesh.Member{ID: o.id})
	}
	return all
}

func (m *toyMember) Get(ctx context.Context, key string, _ ...mesh.ReadOption) ([]byte, error) {
	y := m.mesh
	y.mu.Lock()
	if v, ok := m.store[key]; ok {
		y.mu.Unlock()
		return v, nil
	}
	at := key
	switch y.bug {
	case "flights":
		at = m.id + key
	case "no flights":
		at = fmt.Sprint(rand.Uint64())
	}
	f, running := y.flights[at]
	if !running {
		f = &toyFlight{done: make(chan struct{}), epoch: y.epochs[key]}
		y.flights[at] = f
	}
	y.mu.Unlock()
	if !running {
		item, err := m.from.Load(ctx, loader.Request[[]byte]{Key: key})
		f.value, f.err = item.Value, err
		y.mu.Lock()
		if y.flights[at] == f {
			delete(y.flights, at)
		}
		y.mu.Unlock()
		close(f.done)
	}
	<-f.done
	y.mu.Lock()
	defer y.mu.Unlock()
	if f.err == nil && (f.epoch == y.epochs[key] || y.bug == "late fill") {
		m.store[key] = f.value
		if y.bug == "mixed keys" && len(key)%2 == 0 {
			m.store[key+"x"] = f.value
		}
	}
	return f.value, f.err
}

func (m *toyMember) Invalidate(_ context.Context, keys ...string) error {
	y := m.mesh
	y.mu.Lock()
	defer y.mu.Unlock()
	for _, key := range keys {
		y.epochs[key]++
		delete(y.flights, key)
		for _, o := range y.members {
			delete(y.flights, o.id+key)
			if y.bug == "forgets another" && o == y.members[0] && o != m || y.bug == "forgets itself" && o == m {
				continue
			}
			delete(o.store, key)
		}
	}
	return nil
}

// history is what 3 members, 6 readers and 2 invalidators did in 5 s of virtual time.
func history(t *testing.T, bug string) promise.History {
	t.Helper()
	var h promise.History
	synctest.Test(t, func(t *testing.T) {
		r := promise.NewRecorder(nil)
		r.SetLoadTime(time.Millisecond, 20*time.Millisecond)
		steady := r.Steady()
		y := newToy(3, bug, r)
		ctx := t.Context()
		keys := []string{"k", "kx", "yy", "yyx"}
		var all sync.WaitGroup
		for i := range 8 {
			m := y.members[i%len(y.members)]
			all.Go(func() {
				for begin := time.Now(); time.Since(begin) < 5*time.Second; time.Sleep(rand.N(10 * time.Millisecond)) {
					if key := keys[rand.N(len(keys))]; i < 6 {
						_, _ = r.Get(ctx, m, m, key)
					} else {
						_ = r.Invalidate(ctx, m, m, key)
					}
				}
			})
		}
		all.Wait()
		steady()
		h = r.History()
	})
	return h
}

func TestACorrectCachePassesAndEachBugIsFound(t *testing.T) {
	for bug, want := range map[string]string{
		"":                "",
		"late fill":       "Invalidated OwnInvalidation",
		"forgets another": "Invalidated",
		"forgets itself":  "Invalidated OwnInvalidation",
		"flights":         "OneLoadWhenSteady",
		"no flights":      "OneLoadPerMember OneLoadWhenSteady",
		"mixed keys":      "Genuine",
	} {
		for range 5 {
			h := history(t, bug)
			if len(h.Gets) < 1000 || len(h.Invalidations) < 100 || len(h.Loads) < 100 {
				t.Fatalf("too little happened: %d gets, %d invalidations, %d loads", len(h.Gets), len(h.Invalidations), len(h.Loads))
			}
			var broken []string
			for _, v := range promise.Check(h) {
				if len(broken) == 0 || broken[len(broken)-1] != v.Rule {
					broken = append(broken, v.Rule)
				}
			}
			got := strings.Join(broken, " ")
			if got != want && (bug != "mixed keys" || !strings.HasPrefix(got, want)) {
				t.Errorf("bug %q: broken %q, want %q", bug, got, want)
			}
		}
	}
}

func TestTheOrderOfEventsIsKnownWhereTheClockStandsStill(t *testing.T) {
	r := promise.NewRecorder(func() time.Duration { return time.Second })
	y := newToy(1, "forgets itself", r)
	m, ctx := y.members[0], t.Context()
	for range 2 {
		if _, err := r.Get(ctx, m, m, "k"); err != nil {
			t.Fatal(err)
		}
		if err := r.Invalidate(ctx, m, m, "k"); err != nil {
			t.Fatal(err)
		}
	}
	if len(promise.Check(r.History(), promise.OwnInvalidation)) != 1 {
		t.Error("the stale read was not found")
	}
}

func ExampleRecorder() {
	r := promise.NewRecorder(nil)
	y := newToy(3, "", r) // in earnest: mesh.Join, and mesh.NewCache with r.Loader(m.ID())
	m, other, ctx := y.members[0], y.members[1], context.Background()
	_, _ = r.Get(ctx, m, m, "user/1")
	_ = r.Invalidate(ctx, m, m, "user/1")
	_, _ = r.Get(ctx, other, other, "user/1")
	fmt.Println(len(promise.Check(r.History())), "violations,", len(r.History().Loads), "loads")
	// Output: 0 violations, 2 loads
}

// evicting is a member whose invalidation takes so long that it evicts another while it runs.
type evicting struct {
	*toyMember
	counts []string
	err    error
}

func (m *evicting) Members() []mesh.Member {
	var all []mesh.Member
	for _, id := range m.counts {
		all = append(all, mesh.Member{ID: id})
	}
	return all
}

func (m *evicting) Invalidate(context.Context, ...string) error {
	m.counts = m.counts[:2]
	return m.err
}

func TestWhoWasEvictedDuringACallIsBoundOnlyIfAPartialOneDoesNotListIt(t *testing.T) {
	for _, test := range []struct {
		err   error
		reads string
		want  int
	}{
		{nil, "m2", 0}, // evicted
		{nil, "m1", 1}, // counted still
		{&mesh.PartialError{Members: []string{"m2"}}, "m2", 0},
		{&mesh.PartialError{Members: []string{"m1"}}, "m2", 1}, // should have been listed
		{&mesh.PartialError{Members: []string{"m2"}}, "m1", 1},
	} {
		r := promise.NewRecorder(nil)
		y := newToy(3, "", r)
		caller := &evicting{toyMember: y.members[0], counts: []string{"m0", "m1", "m2"}, err: test.err}
		var reader *toyMember
		for _, m := range y.members {
			if m.id == test.reads {
				reader = m
			}
		}
		for range 2 { // the second get reads what the first has cached
			if _, err := r.Get(t.Context(), reader, reader, "k"); err != nil {
				t.Fatal(err)
			}
			_ = r.Invalidate(t.Context(), caller, caller, "k")
		}
		if got := promise.Check(r.History(), promise.Invalidated); len(got) != test.want {
			t.Errorf("%v, read on %s: %d violations, want %d: %v", test.err, test.reads, len(got), test.want, got)
		}
	}
}
