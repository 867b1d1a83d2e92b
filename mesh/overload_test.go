package mesh_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
)

func TestWithMoreLoadsAskedForThanCanBeMostThatRunAreAnswered(t *testing.T) {
	for _, asker := range []string{"m0", "m1"} { // the owner and another member
		t.Run(asker, func(t *testing.T) {
			bubble(t, 2, func(t *testing.T, w *town) {
				var began, ended atomic.Int64
				caches := open(w, "c", loader.Of(func(ctx context.Context, key string) ([]byte, error) {
					began.Add(1)
					select {
					case <-time.After(50 * time.Millisecond):
						ended.Add(1)
						return []byte(key), nil
					case <-ctx.Done():
						return nil, ctx.Err()
					}
				}), mesh.Options{MaxLoads: 4}) // 80 a second at most
				var keys []string
				for i := 0; len(keys) < 2000; i++ {
					if key := fmt.Sprint("k", i); w.meshes[0].Owner("c", key) == "m0" {
						keys = append(keys, key)
					}
				}
				c := caches[0]
				if asker == "m1" {
					c = caches[1]
				}
				var answered atomic.Int64
				var all sync.WaitGroup
				for _, key := range keys { // 400 a second
					all.Go(func() {
						ctx, cancel := context.WithTimeout(w.ctx, 500*time.Millisecond)
						defer cancel()
						if _, err := c.Get(ctx, key); err == nil {
							answered.Add(1)
						}
					})
					time.Sleep(2500 * time.Microsecond)
				}
				all.Wait()
				t.Logf("%d loads began, %d ended, %d gets were answered", began.Load(), ended.Load(), answered.Load())
				if n := answered.Load(); n < 5*80*8/10 {
					t.Errorf("%d gets were answered, of 400 that could be", n)
				}
			})
		})
	}
}

// The origin is not to blame for the time that a load has waited for a place.
func TestALoadWhoseTimeWasSpentInTheQueueSaysSo(t *testing.T) {
	bubble(t, 1, func(t *testing.T, w *town) {
		c := open(w, "c", loader.Of(func(ctx context.Context, key string) (string, error) {
			select {
			case <-time.After(600 * time.Millisecond):
				return key, nil
			case <-ctx.Done():
				return "", ctx.Err()
			}
		}), mesh.Options{MaxLoads: 1, LoadTimeout: time.Second})[0]
		first, second := get(w.ctx, c, "first"), get(w.ctx, c, "second")
		a, b := <-first, <-second
		if a.err == nil {
			a = b
		}
		wantErr(t, a.err, context.DeadlineExceeded)
		wantText(t, a.err, "LoadTimeout", "(1s, of which it waited 600ms for a place among MaxLoads, 1)")
	})
}
