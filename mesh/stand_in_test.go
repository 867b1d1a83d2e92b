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

		nc := w.conns[2]
		answers := answersTo(t, nc, "zz", "m0")
		number := uint64(0)
		ask := func(q wire.Question) (wire.Result, string) {
			t.Helper()
			number++
			q.Number, q.Kind, q.Key = number, wire.AskGet, []byte(key)
			data, err := wire.Append(nil, &wire.Ask{Inc: 1, Batch: number, Caches: []string{"c"}, Questions: []wire.Question{q}})
			if err != nil {
				t.Fatal(err)
			}
			if err := nc.Publish("mesh.default.ask.m0.zz", data); err != nil {
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
						if res.Number == number {
							return res, string(values[:res.Length])
						}
					}
				case <-time.After(10 * time.Second):
					t.Fatal("no answer")
				}
			}
		}
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
