package mesh_test

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/cachemesh/cachemesh/internal/wire"
	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/testenv"
)

// versionAt is where a message has its protocol version.
const versionAt = 4

// sniffer keeps a few of the messages on each sort of subject.
type sniffer struct {
	mu   sync.Mutex // guards seen
	seen map[string][]*nats.Msg
}

func (s *sniffer) take(m *nats.Msg) {
	const each = 20
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen = map[string][]*nats.Msg{}
	}
	if sort := sortOf(m.Subject); len(s.seen[sort]) < each {
		s.seen[sort] = append(s.seen[sort], m)
	}
}

func (s *sniffer) all() (msgs []*nats.Msg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sort := range slices.Sorted(maps.Keys(s.seen)) {
		msgs = append(msgs, s.seen[sort]...)
	}
	return msgs
}

// sortOf is the third token of a subject: all, to, ask...
func sortOf(subject string) string { return strings.Split(subject, ".")[2] }

// from is the subject with another sender.
func from(subject, sender string) string {
	return subject[:strings.LastIndexByte(subject, '.')+1] + sender
}

// checkFresh invalidates keys and checks that all members that the caller counts as that returns read newer loads then.
func (r *rig) checkFresh(keys []string, members ...*rigMember) {
	r.t.Helper()
	for i, key := range keys {
		before := r.origin.LoadsOf(key)
		by := members[i%len(members)]
		if err := by.cache.Invalidate(r.within(10*time.Second), key); err != nil {
			r.t.Errorf("invalidate %s: %v", key, err)
			continue
		}
		counted := names(by.Mesh)
		for _, m := range members {
			if !slices.Contains(counted, m.ID()) {
				r.t.Logf("%s does not count %s", by.ID(), m.ID())
				continue
			}
			v, err := m.cache.Get(r.within(10*time.Second), key)
			var n int
			if _, scan := fmt.Sscanf(string(v[bytes.IndexByte(v, '#')+1:]), "%d", &n); err != nil || scan != nil || keyOfValue(v) != key {
				r.t.Errorf("%s on %s is %q, %v", key, m.ID(), v, err)
			} else if n <= before {
				r.t.Errorf("%s on %s is of load %d; the one before the invalidation was %d", key, m.ID(), n, before)
			}
		}
	}
}

func TestAStreamThatCapturesEverythingDoesNoHarm(t *testing.T) {
	t.Parallel()
	r := newRig(t, testenv.NATS(t, testenv.JetStream()))
	js, err := r.server.Connect(t).JetStream()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.AddStream(&nats.StreamConfig{Name: "spy", Subjects: []string{"mesh.>"}, Storage: nats.MemoryStorage}); err != nil {
		t.Fatal(err)
	}
	r.grow(3)
	keys, owned := r.keys(100, "m2")
	r.fill(keys, r.all...)
	r.readAll(keys, r.all...)
	r.checkFresh(keys[:20], r.all...)
	if r.log.count("dropped a message", "not a message of a mesh") == 0 {
		t.Error("nothing in the log of the stream's acknowledgements")
	}

	r.all[2].nc.Close()
	began := time.Now()
	r.readAll(owned, r.all[0])
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("it took %v to read the keys of a dead owner", took)
	}
}

func TestNoiseOnEverySubjectPoisonsNothing(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		r := newRig(t, testenv.InProcess(t))
		var s sniffer
		r.eavesdrop(s.take)
		r.grow(3)
		keys, _ := r.keys(200, "")
		r.fill(keys, r.all...)
		r.readAll(keys, r.all...)
		r.checkFresh(keys[:10], r.all...)
		r.origin.Set("large", bytes.Repeat([]byte("large#"), 200_000))
		r.readAll([]string{"large"}, r.all...)
		for _, m := range r.all { // each has a link to each other from here on
			for _, key := range keys {
				if _, err := m.cache.Get(r.within(5*time.Second), key, mesh.Fresh()); err != nil {
					t.Fatal(err)
				}
			}
		}
		for range 12 { // and memory for replicas, which has goroutines of its own
			r.readAll(keys[:30], r.all...)
		}
		for _, m := range r.all {
			if m.cache.Stats().ReplicaEntries == 0 {
				t.Fatalf("%s has no replica", m.ID())
			}
		}
		goroutines := runtime.NumGoroutine()

		loud := r.server.Connect(t)
		rnd := rand.New(rand.NewPCG(1, 2))
		valid := s.all()
		sorts := map[string]bool{}
		rs := r.readersOf(keys, r.all...)
		for range 60 {
			for _, m := range valid {
				sorts[sortOf(m.Subject)] = true
				stranger := fmt.Sprint("zz", rnd.IntN(20))
				// Bytes that mean nothing, from whomever; a valid message changed, from
				// a stranger (a member's subject is for the server's permissions to
				// guard); a valid one again, late; a part of one.
				noise := make([]byte, rnd.IntN(300))
				for i := range noise {
					noise[i] = byte(rnd.Uint32())
				}
				changed := bytes.Clone(m.Data)
				for range 1 + rnd.IntN(3) {
					changed[rnd.IntN(len(changed))] ^= 1 << rnd.IntN(8)
				}
				if b, err := wire.Decode(changed); err == nil {
					if b, ok := b.(*wire.Beat); ok && b.Lease > rigLease.Microseconds() {
						changed = nil // who announces a long lease is waited for that long
					}
				}
				for _, err := range []error{
					loud.Publish(m.Subject, noise),
					loud.Publish(from(m.Subject, stranger), noise),
					loud.Publish(from(m.Subject, stranger), changed),
					loud.Publish(from(m.Subject, stranger), m.Data),
					loud.Publish(m.Subject, m.Data),
					loud.Publish(m.Subject, m.Data[:rnd.IntN(len(m.Data))]),
					loud.Publish(m.Subject, nil),
					loud.PublishRequest("mesh.default.get.c", "nobody", noise),
					loud.PublishRequest("mesh.default.invalidate.c", "nobody", noise),
				} {
					if err != nil {
						t.Fatal(err)
					}
				}
			}
			time.Sleep(20 * time.Millisecond)
		}
		if got := strings.Join(slices.Sorted(maps.Keys(sorts)), " "); got != "all ans ask to" {
			t.Fatalf("heard messages on %s alone", got)
		}
		rs.end(t, 5*time.Second)
		r.agree(3*rigLease, r.all...) // strangers that passed for members are gone
		r.checkFresh(keys[:50], r.all...)
		r.readAll(keys, r.all...)
		for _, m := range r.all {
			if m.Stats().Dropped == 0 {
				t.Errorf("%s has dropped nothing", m.ID())
			}
		}
		if r.log.count("dropped a message") == 0 {
			t.Error("the log does not say what was dropped")
		}
		testenv.Eventually(t, 30*time.Second, "no goroutine is left for the strangers", func() bool {
			return runtime.NumGoroutine() <= goroutines+6 // the connection's own
		})
	})
}

func TestAMemberOfAnotherVersionIsDroppedWithOneLine(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		r := newRig(t, testenv.InProcess(t))
		var s sniffer
		r.eavesdrop(s.take)
		r.grow(3)
		keys, _ := r.keys(50, "")
		r.fill(keys, r.all...)
		nc := r.server.Connect(t)
		for _, m := range s.all() {
			future := bytes.Clone(m.Data)
			future[versionAt] = wire.Version + 1
			for range 10 {
				if sortOf(m.Subject) == "all" {
					_ = nc.Publish(from(m.Subject, "future"), future)
				}
			}
		}
		_ = nc.Flush()
		time.Sleep(2 * rigLease)
		r.agree(0, r.all...)
		r.readAll(keys, r.all...)
		if n := r.origin.Loads(); n != len(keys) {
			t.Errorf("%d loads of %d keys", n, len(keys))
		}
		for _, m := range r.all {
			if n := r.log.count("dropped a message", "future", "version 2", "id="+m.ID()); n != 1 {
				t.Errorf("%s says it in %d lines", m.ID(), n)
			}
		}
	})
}

func TestImpossibleQuestionsAndAnswersHurtNobody(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		r := newRig(t, testenv.InProcess(t))
		nc := r.server.Connect(t)
		send := func(subject string, msg any) {
			data, err := wire.Append(nil, msg)
			if err != nil {
				t.Error(err)
				return
			}
			if err := nc.Publish(subject, data); err != nil {
				t.Error(err)
			}
		}
		// Somebody answers each question in its receiver's name, before the receiver.
		var poison sync.Map // by status: what to answer with
		r.eavesdrop(func(m *nats.Msg) {
			ask, err := wire.DecodeAsk(m.Data)
			if err != nil || ask.To == 0 {
				return
			}
			token := strings.Split(m.Subject, ".")
			poison.Range(func(_, v any) bool {
				a := &wire.Answer{Inc: ask.To, To: ask.Inc}
				for _, q := range ask.Questions {
					res := v.(wire.Result)
					res.Number = q.Number
					a.Results = append(a.Results, res)
				}
				send("mesh.default.ans."+token[4]+"."+token[3], a)
				return true
			})
		})
		r.grow(2)
		large := bytes.Repeat([]byte("large#"), 200_000)
		_, owned := r.keys(100, "m1")
		for i, key := range owned[:8] {
			r.origin.Set(key, append([]byte(key), large...))
			poison.Clear()
			switch i {
			case 0:
				poison.Store(i, wire.Result{Status: wire.Chunked, Size: 0, Transfer: 1})
			case 1:
				poison.Store(i, wire.Result{Status: wire.Chunked, Size: math.MaxInt64, Transfer: 1})
			case 2:
				poison.Store(i, wire.Result{Status: wire.Chunked, Size: 3 << 20, Transfer: 999})
			case 3:
				poison.Store(i, wire.Result{Status: wire.NotMine, Instead: "nobody"})
			case 4:
				poison.Store(i, wire.Result{Status: wire.NotMine, Instead: "m0"})
			case 5:
				poison.Store(i, wire.Result{Status: wire.Pulled})
			case 6:
				poison.Store(i, wire.Result{Status: wire.Value, Age: math.MaxInt64, Life: math.MinInt64})
			case 7:
				poison.Store(i, wire.Result{Status: wire.Working, Age: math.MaxInt64})
			}
			began := time.Now()
			_, err := r.all[0].cache.Get(r.within(20*time.Second), key)
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("answer %d: %v after %v", i, err, took)
			}
		}
		poison.Clear()
		ask := func(questions ...wire.Question) {
			for n := range uint64(20) {
				for i := range questions {
					questions[i].Number, questions[i].Transfer = n+1, n
				}
				send("mesh.default.ask.m1.zz", &wire.Ask{Inc: 1, Batch: n + 1, Caches: []string{"c"}, Questions: questions})
			}
		}
		ask(wire.Question{Kind: wire.AskChunk, Offset: math.MaxInt64, Length: 1},
			wire.Question{Kind: wire.AskChunk, Offset: 1, Length: math.MaxInt64},
			wire.Question{Kind: wire.AskGet, Key: []byte("x"), MaxAge: math.MaxInt64, Reads: math.MaxUint32, Flags: 255},
			wire.Question{Kind: wire.AskTakeOver, Key: []byte("x")},
			wire.Question{Kind: wire.AskPull, Key: []byte("y")})
		beat := &wire.Beat{Inc: math.MaxUint64, Nonce: 1, Seq: math.MaxUint64, Heartbeat: math.MaxInt64, Lease: math.MaxInt64,
			Hash: 255, Joined: true, For: math.MaxInt64, Life: math.MaxInt64}
		send("mesh.default.all.zz", beat)
		beat.Hash = 1
		send("mesh.default.all.zz", beat)
		_ = nc.Flush()
		time.Sleep(2 * rigLease)
		r.agree(2*rigLease, r.all...)
		keys, _ := r.keys(100, "")
		r.checkFresh(keys[50:], r.all...)
	})
}
