package mesh_test

import (
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
