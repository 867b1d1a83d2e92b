package mesh_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/cachemesh/cachemesh/hashing"
	"github.com/cachemesh/cachemesh/internal/wire"
	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/testenv"
)

// While parts of a mesh come together again a member may not reach a key's owner yet, and ask
// somebody else, who has stood in for that owner and knows it by now.
func TestWhoCannotReachTheOwnerIsAnsweredFromAReplica(t *testing.T) {
	bubble(t, 3, func(t *testing.T, w *town) {
		o := testenv.NewOrigin()
		caches := open[[]byte](w, "c", o, mesh.Options{})
		without := hashing.New(hashing.Member{ID: "m0"}, hashing.Member{ID: "m1"}, hashing.Member{ID: "m2"}).Without("m1")
		var key string
		for _, k := range w.keysOf("c", "m1", 50) {
			if without.Owner(k) == "m2" { // m0 ranks last
				key = k
				break
			}
		}
		for range 40 { // until it is hot, and m0 has a replica
			if _, err := caches[0].Get(w.ctx, key); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if e, err := caches[0].Lookup(w.ctx, key); err != nil || e.Source != mesh.Replica {
			t.Fatalf("m0 has no replica: %v, %v", e.Source, err)
		}

		ask := asks(t, w.conns[2], "m0", key)
		if res, _ := ask(wire.Question{}); res.Status != wire.NotMine || res.Instead != "m1" {
			t.Errorf("a first question: %v, %q", res.Status, res.Instead)
		}
		if res, value := ask(wire.Question{RuledOut: []string{"m1"}}); res.Status != wire.Value || value != key+"#1" {
			t.Errorf("without the owner: %v, %q", res.Status, value)
		}
		if res, _ := ask(wire.Question{RuledOut: []string{"m1"}, Flags: wire.FlagFresh}); res.Status != wire.NotMine || res.Instead != "m2" {
			t.Errorf("a fresh value, without the owner: %v, %q", res.Status, res.Instead)
		}
		time.Sleep(time.Second)
		if res, _ := ask(wire.Question{RuledOut: []string{"m1"}, MaxAge: 1000}); res.Status != wire.NotMine {
			t.Errorf("a value of a millisecond at most, without the owner: %v", res.Status)
		}
		if err := caches[2].Invalidate(w.ctx, key); err != nil {
			t.Fatal(err)
		}
		if res, _ := ask(wire.Question{RuledOut: []string{"m1"}}); res.Status != wire.NotMine || res.Instead != "m2" {
			t.Errorf("after an invalidation: %v, %q", res.Status, res.Instead)
		}
	})
}

// Who asks may not reach the owner, and ask another in its place that reaches it.
func TestWhoStandsInForAnOwnerThatItHearsAsksIt(t *testing.T) {
	virtual(t, 3, func(t *testing.T, r *rig) {
		_, owned := r.keys(300, "m1")
		without := hashing.New(hashing.Member{ID: "m0"}, hashing.Member{ID: "m1"}, hashing.Member{ID: "m2"}).Without("m1")
		var keys []string // for which m2 is next in rank
		for _, key := range owned {
			if without.Owner(key) == "m2" {
				keys = append(keys, key)
			}
		}
		held, lost := keys[0], keys[1]
		r.fill([]string{held, lost}, r.all[1])
		q := wire.Question{RuledOut: []string{"m1"}}
		nc := r.server.Connect(t)

		if res, value := asks(t, nc, "m2", held)(q); res.Status != wire.Value || value != held+"#1" {
			t.Errorf("what the owner holds: %v, %q", res.Status, value)
		}
		if n := r.origin.LoadsOf(held); n != 1 {
			t.Errorf("%d loads of what the owner holds", n)
		}

		r.origin.SetDelay(time.Second)
		loading := keys[2]
		owners := get(r.within(10*time.Second), r.all[1].cache, loading)
		time.Sleep(100 * time.Millisecond)
		res, value := asks(t, nc, "m2", loading)(q)
		if a := <-owners; a.err != nil || res.Status != wire.Value || value != string(a.value) || r.origin.LoadsOf(loading) != 1 {
			t.Errorf("what the owner loads: %v, %q, %d loads", res.Status, value, r.origin.LoadsOf(loading))
		}
		r.origin.SetDelay(0)

		r.all[1].link.Swallow() // it was heard a moment ago
		began := time.Now()
		if res, value := asks(t, nc, "m2", lost)(q); res.Status != wire.Value || value != lost+"#2" {
			t.Errorf("without the owner: %v, %q", res.Status, value)
		}
		if took := time.Since(began); took > 100*time.Millisecond {
			t.Errorf("an owner that says nothing is waited for: %v", took)
		}
	})
}

// asks asks a member for a key, as one that calls itself zz.
func asks(t *testing.T, nc *nats.Conn, member, key string) func(wire.Question) (res wire.Result, value string) {
	t.Helper()
	answers := answersTo(t, nc, "zz", member)
	number := uint64(0)
	return func(q wire.Question) (wire.Result, string) {
		t.Helper()
		number++
		q.Number, q.Kind, q.Key = number, wire.AskGet, []byte(key)
		data, err := wire.Append(nil, &wire.Ask{Inc: 1, Batch: number, Caches: []string{"c"}, Questions: []wire.Question{q}})
		if err != nil {
			t.Fatal(err)
		}
		if err := nc.Publish("mesh.default.ask."+member+".zz", data); err != nil {
			t.Fatal(err)
		}
		for {
			select {
			case msg := <-answers:
				a, values, err := wire.DecodeAnswer(msg.Data)
				if err != nil {
					t.Fatal(err)
				}
				for _, res := range a.Results {
					if res.Number == number && res.Status != wire.Working {
						return res, string(values[:res.Length])
					}
				}
			case <-time.After(10 * time.Second):
				t.Fatal("no answer")
			}
		}
	}
}

// answersTo gives what member from answers to who calls itself id.
func answersTo(t *testing.T, nc *nats.Conn, id, from string) <-chan *nats.Msg {
	t.Helper()
	answers := make(chan *nats.Msg, 100)
	sub, err := nc.ChanSubscribe("mesh.default.ans."+id+"."+from, answers)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sub.Unsubscribe() })
	return answers
}
