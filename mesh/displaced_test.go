package mesh_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/testenv"
)

// Alone it would confirm invalidations that nobody else has heard of, and answer with what the mesh has invalidated.
func TestADisplacedMemberAnswersNoClients(t *testing.T) {
	virtual(t, 2, func(t *testing.T, r *rig) {
		elder := r.all[1]
		elder.link.Swallow()
		testenv.Eventually(t, 20*time.Second, "the elder is evicted", func() bool { return len(names(r.all[0].Mesh)) == 1 })
		younger, err := r.tryJoin(r.within(20*time.Second), "m1")
		if err != nil {
			t.Fatal(err)
		}
		elder.link.Heal()
		testenv.Eventually(t, 20*time.Second, "the younger is displaced", func() bool { return r.log.count("displaced") > 0 })
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
