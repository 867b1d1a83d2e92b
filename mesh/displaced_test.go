package mesh_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/testenv"
)

// displace has a second m1 join while the first is not heard, and displaced by it when it is again.
func displace(t *testing.T, r *rig) (younger *rigMember) {
	t.Helper()
	elder := r.all[1]
	elder.link.Swallow()
	testenv.Eventually(t, 20*time.Second, "the elder is evicted", func() bool { return len(names(r.all[0].Mesh)) == 1 })
	younger, err := r.tryJoin(r.within(20*time.Second), "m1")
	if err != nil {
		t.Fatal(err)
	}
	elder.link.Heal()
	testenv.Eventually(t, 20*time.Second, "the younger is displaced", func() bool { return r.log.count("displaced:") > 0 })
	return younger
}

// Alone it would confirm invalidations that nobody else has heard of, and answer with what the mesh has invalidated.
func TestADisplacedMemberAnswersNoClients(t *testing.T) {
	virtual(t, 2, func(t *testing.T, r *rig) {
		younger := displace(t, r)
		if _, err := mesh.NewCache(younger.Mesh, "late", r.origin, mesh.Options{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		before := younger.cache.Stats()
		client := r.server.Connect(t)
		for range 40 {
			for _, subject := range []string{"mesh.default.get.c", "mesh.default.invalidate.c"} {
				if _, err := client.Request(subject, []byte("k"), 5*time.Second); err != nil {
					t.Fatal(err)
				}
			}
		}
		if after := younger.cache.Stats(); after != before {
			t.Errorf("it has answered: before %+v, after %+v", before, after)
		}
		if _, err := client.Request("mesh.default.get.late", []byte("k"), time.Second); err != nats.ErrNoResponders {
			t.Errorf("a cache that it has opened since: %v", err)
		}
	})
}

func TestADisplacedMemberIsBackWhenTheOtherOfItsIDIsGone(t *testing.T) {
	for _, how := range []string{"killed", "left"} {
		t.Run(how, func(t *testing.T) {
			virtual(t, 2, func(t *testing.T, r *rig) {
				elder, m0 := r.all[1], r.all[0]
				younger := displace(t, r)
				time.Sleep(5 * rigLease)
				if got := names(younger.Mesh); len(got) != 1 || !younger.Stats().Displaced || m0.Stats().Displaced {
					t.Fatalf("not alone: %v, %+v", got, younger.Stats())
				}
				within := time.Second
				if how == "left" {
					if err := elder.Leave(r.within(5 * time.Second)); err != nil {
						t.Fatal(err)
					}
				} else {
					elder.link.Cut()
					within += 2 * rigLease
				}
				r.agree(within, m0, younger)
				if younger.Stats().Displaced {
					t.Error("it still says that it is displaced")
				}
				key := ownedBy(t, r, m0, "m1")
				if _, err := m0.cache.Get(r.within(time.Second), key); err != nil {
					t.Fatal(err)
				}
				client := r.server.Connect(t)
				msg, err := client.Request("mesh.default.invalidate.c", []byte(key), 5*time.Second)
				if err != nil || len(msg.Header) > 0 {
					t.Fatalf("a client's invalidation: %v, %v", err, msg)
				}
				for _, m := range []*rigMember{m0, younger} {
					if v, err := m.cache.Get(r.within(time.Second), key); err != nil || string(v) != key+"#2" {
						t.Errorf("%s reads %q, %v", m.ID(), v, err)
					}
				}
				if err := younger.Leave(r.within(5 * time.Second)); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// It is heard on the subject that a client asks, once m0 is gone.
func TestADisplacedMemberThatIsBackAnswersClients(t *testing.T) {
	virtual(t, 2, func(t *testing.T, r *rig) {
		younger := displace(t, r)
		client := r.server.Connect(t)
		r.all[1].link.Cut()
		if err := r.all[0].Leave(r.within(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		testenv.Eventually(t, 3*rigLease, "it is back and answers", func() bool {
			msg, err := client.Request("mesh.default.get.c", []byte("k"), time.Second)
			return err == nil && len(msg.Header.Get("Nats-Service-Error")) == 0 && string(msg.Data) == "k#1"
		})
		if n := younger.cache.Stats().Loads; n != 1 {
			t.Errorf("it has loaded %d times", n)
		}
	})
}

// ownedBy is a key that the member of that ID owns, as m sees it.
func ownedBy(t *testing.T, r *rig, m *rigMember, id string) string {
	t.Helper()
	for i := range 1000 {
		if key := fmt.Sprint("owned", i); m.Owner("c", key) == id {
			return key
		}
	}
	t.Fatalf("%s owns nothing", id)
	return ""
}

// m0 misses what it is told just before the younger is displaced: nobody may be told that it is invalidated.
func TestAnInvalidationUnderWayWhenItsMemberIsDisplacedIsNotConfirmed(t *testing.T) {
	virtual(t, 0, func(t *testing.T, r *rig) {
		r.config.Private = true
		m0, elder := r.join("m0"), r.join("m1")
		r.config.Private = false
		r.agree(10*time.Second, m0, elder)
		time.Sleep(20 * time.Second)
		elder.link.Swallow()
		testenv.Eventually(t, 20*time.Second, "the elder is evicted", func() bool { return len(names(m0.Mesh)) == 1 })
		younger, err := r.tryJoin(r.within(20*time.Second), "m1")
		if err != nil {
			t.Fatal(err)
		}
		r.agree(10*time.Second, m0, younger)
		time.Sleep(time.Second)
		key := ownedBy(t, r, m0, "m0")
		if _, err := m0.cache.Get(r.within(time.Second), key); err != nil {
			t.Fatal(err)
		}
		client := r.server.Connect(t)
		m0.link.Drop(1, testenv.ToClient)
		asClient, asCaller := make(chan error, 1), make(chan error, 1)
		go func() {
			msg, err := client.Request("mesh.default.invalidate.c", []byte(key), 10*time.Second)
			if err == nil && len(msg.Header) > 0 {
				err = errors.New(msg.Header.Get("Nats-Service-Error-Code"))
			}
			asClient <- err
		}()
		go func() { asCaller <- younger.cache.Invalidate(r.within(time.Hour), key) }()
		time.Sleep(10 * time.Millisecond)
		elder.link.Heal()
		if err := <-asClient; err == nil || err.Error() != "504" {
			t.Errorf("the client is told %v", err)
		}
		var partial *mesh.PartialError
		if err := <-asCaller; !errors.As(err, &partial) || !errors.Is(err, mesh.ErrIDTaken) || fmt.Sprint(partial.Members) != "[m0]" {
			t.Errorf("the caller is told %v", err)
		}
		if v, err := m0.cache.Get(r.within(time.Second), key); err != nil || string(v) != key+"#1" {
			t.Errorf("m0 has heard of it: it reads %q, %v", v, err)
		}
		m0.link.Drop(0, testenv.ToClient)
	})
}

func TestAnInvalidationOfOneWhoIsDisplacedAgainReturns(t *testing.T) {
	virtual(t, 2, func(t *testing.T, r *rig) {
		elder, m0 := r.all[1], r.all[0]
		younger := displace(t, r)
		m0.link.Swallow(testenv.ToClient) // m0 hears nothing: younger cannot join
		elder.link.Swallow()
		testenv.Eventually(t, 20*time.Second, "it joins again", func() bool { return !younger.Stats().Displaced })
		ended := make(chan error, 1)
		go func() { ended <- younger.cache.Invalidate(r.within(time.Hour), "k") }()
		time.Sleep(10 * time.Millisecond)
		elder.link.Heal()
		time.Sleep(100 * time.Millisecond)
		m0.link.Heal()
		select {
		case err := <-ended:
			if !errors.Is(err, mesh.ErrIDTaken) {
				t.Errorf("it ended with %v", err)
			}
		case <-time.After(10 * rigLease):
			t.Errorf("it has not returned; displaced: %v", younger.Stats().Displaced)
		}
	})
}

// What others ask the elder reaches the one that it has displaced, too.
func TestADisplacedMemberDisturbsNoQuestionsToTheOther(t *testing.T) {
	virtual(t, 2, func(t *testing.T, r *rig) {
		elder, m0 := r.all[1], r.all[0]
		displace(t, r)
		r.agree(10*time.Second, m0, elder)
		all, owned := r.keys(100, "m1")
		r.fill(all, elder)
		time.Sleep(time.Second)
		elder.link.Delay(30*time.Millisecond, 0) // a refusal of the other comes first by far
		time.Sleep(2 * time.Second)
		loads := r.origin.Loads()
		for _, key := range owned[:20] {
			if _, err := m0.cache.Get(r.within(5*time.Second), key); err != nil {
				t.Error(err)
			}
		}
		if n := r.origin.Loads() - loads; n > 0 {
			t.Errorf("%d loads of what the elder holds", n)
		}
	})
}
