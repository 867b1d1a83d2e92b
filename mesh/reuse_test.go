package mesh_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/testenv"
)

// TestWhatIsFetchedIsTheKeysOwnWhoeverGivesUp has fetches come and go, whose memory
// serves one after the other, while some callers give up, values change and replicas
// come and go. Each value read must be one of its key, and stay what it is.
func TestWhatIsFetchedIsTheKeysOwnWhoeverGivesUp(t *testing.T) {
	w := newTown(t, testenv.NATS(t), 2)
	caches := open(w, "c", loader.Of(func(_ context.Context, key string) (string, error) {
		if key == "key7" {
			time.Sleep(time.Duration(rand.IntN(3)) * time.Millisecond)
		}
		return key + ":" + key, nil
	}), mesh.Options{TTL: 50 * time.Millisecond})
	type kept struct{ key, value string }
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			c := caches[g%2]
			var held []kept
			for i := range 600 {
				key := fmt.Sprint("key", rand.IntN(300))
				ctx, cancel := w.ctx, func() {}
				if i%5 == 0 {
					ctx, cancel = context.WithTimeout(ctx, time.Duration(rand.IntN(400))*time.Microsecond)
				}
				switch {
				case i%50 == 0:
					if err := c.Invalidate(w.ctx, key); err != nil {
						t.Errorf("Invalidate %s: %v", key, err)
					}
				case i%7 == 0:
					if e, err := c.Lookup(ctx, key); err == nil {
						held = append(held, kept{key, e.Value})
					}
				case i%11 == 0:
					other := fmt.Sprint("key", rand.IntN(300))
					if got, err := c.GetMany(ctx, []string{key, other}); err == nil {
						held = append(held, kept{key, got[key]}, kept{other, got[other]})
					}
				default:
					if v, err := c.Get(ctx, key); err == nil {
						held = append(held, kept{key, v})
					} else if ctx == w.ctx {
						t.Errorf("Get %s: %v", key, err)
					}
				}
				cancel()
			}
			for _, h := range held {
				if h.value != h.key+":"+h.key {
					t.Errorf("%s: %q", h.key, h.value)
				}
			}
		})
	}
	wg.Wait()
}
