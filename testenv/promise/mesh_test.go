package promise_test

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
	"github.com/cachemesh/cachemesh/testenv/promise"
)

// faults are what happens to a member's link for a moment.
var faults = []func(l *testenv.Link){
	func(l *testenv.Link) { l.Delay(20*time.Millisecond, 50*time.Millisecond) },
	func(l *testenv.Link) { l.Delay(time.Second, 0, testenv.ToClient) },
	func(l *testenv.Link) { l.Drop(0.1) },
	func(l *testenv.Link) { l.Drop(0.5, testenv.ToClient) },
	func(l *testenv.Link) { l.Swallow() },
	func(l *testenv.Link) { l.Swallow(testenv.ToServer) },
	func(l *testenv.Link) { l.Cut() },
}

// traffic runs 8 readers and 3 invalidators on the members until ctx is done, and records what they see.
func traffic(ctx context.Context, r *promise.Recorder, members []*testenv.Member, caches []*mesh.Cache[[]byte]) {
	var all sync.WaitGroup
	for i := range 11 {
		m, c := members[i%len(members)], caches[i%len(members)]
		all.Go(func() {
			for ctx.Err() == nil {
				key := fmt.Sprint("k", rand.N(20))
				patience := 2 * time.Second
				if i >= 8 && rand.N(2) == 0 {
					patience = 200 * time.Millisecond // shorter than a lease: what is not confirmed is partial
				}
				call, cancel := context.WithTimeout(context.Background(), patience)
				switch {
				case i < 8:
					if rand.N(50) == 0 {
						_, _ = r.Fresh(call, c, m, key)
					} else {
						_, _ = r.Get(call, c, m, key)
					}
				case rand.N(20) == 0:
					_ = r.Clear(call, c, m)
				case rand.N(8) == 0:
					_ = r.InvalidateTags(call, c, m, tagOf(key)...)
				case rand.N(4) == 0:
					_ = r.Set(call, c, m, key)
				default:
					_ = r.Invalidate(call, c, m, key)
				}
				cancel()
				if i >= 8 {
					time.Sleep(rand.N(20 * time.Millisecond))
				} else {
					time.Sleep(rand.N(2 * time.Millisecond))
				}
			}
		})
	}
	all.Wait()
}

func judge(t *testing.T, h promise.History, rules ...promise.Rule) {
	t.Helper()
	ends := map[promise.Outcome]int{}
	for _, i := range h.Invalidations {
		ends[i.Outcome]++
	}
	failed := 0
	for _, g := range h.Gets {
		if g.Err != nil {
			failed++
		}
	}
	t.Logf("%d gets, %d of them failed; %d loads; invalidations: %v", len(h.Gets), failed, len(h.Loads), ends)
	if len(h.Gets) < 300 || ends[promise.OK] < 30 || len(h.Loads) < 50 {
		t.Error("too little happened to judge by")
	}
	for i, v := range promise.Check(h, rules...) {
		if i == 5 {
			t.Error("and more")
			break
		}
		t.Error(v)
	}
}

// tagOf is the tag of a key: ten tags for twenty keys.
func tagOf(key string) []string { return []string{"t" + key[len(key)-1:]} }

func realMesh(t *testing.T, r *promise.Recorder) ([]*testenv.Member, []*mesh.Cache[[]byte]) {
	t.Helper()
	r.SetTags(tagOf)
	members := testenv.Mesh(t, 4, testenv.MeshConfig{})
	return members, testenv.CachesFrom(t, members, "c", func(m *testenv.Member) loader.Loader[[]byte] {
		return r.Loader(m.ID())
	}, mesh.Options{TTL: time.Minute})
}

// steady is what a mesh of 4 does while nothing fails, for a second if the machine is not busy.
func steady(t *testing.T) promise.History {
	t.Helper()
	r := promise.NewRecorder(nil)
	r.SetLoadTime(0, 3*time.Millisecond)
	members, caches := realMesh(t, r)
	end := r.Steady()
	for range 10 { // a busy machine gets little done in one
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		traffic(ctx, r, members, caches)
		cancel()
		if h := r.History(); len(h.Gets) > 600 && len(h.Loads) > 100 && len(h.Invalidations) > 100 {
			break
		}
	}
	end()
	return r.History()
}

func TestASteadyMeshKeepsItsPromise(t *testing.T) {
	judge(t, steady(t), promise.Genuine, promise.Invalidated, promise.OwnInvalidation, promise.OneLoadPerMember,
		promise.BoundedAge(time.Minute), promise.BoundedWait(time.Second))
}

func TestASteadyMeshLoadsAKeyOnOneMemberAtATime(t *testing.T) {
	judge(t, steady(t), promise.OneLoadWhenSteady)
}

func TestASteadyMeshGoesBackToNoOlderLoad(t *testing.T) {
	judge(t, steady(t), promise.NoRegressWhenSteady)
}

func TestAMeshKeepsItsPromiseOverLinksThatFail(t *testing.T) {
	r := promise.NewRecorder(nil)
	r.SetLoadTime(0, 3*time.Millisecond)
	members, caches := realMesh(t, r)
	for range 4 { // now and then the faults leave little to judge by
		storm(t, r, members, caches)
		if h := r.History(); len(h.Gets) > 1000 && len(h.Loads) > 100 && len(h.Invalidations) > 100 {
			break
		}
	}
	judge(t, r.History(), promise.Genuine, promise.Invalidated, promise.OwnInvalidation, promise.BoundedAge(time.Minute), promise.BoundedWait(time.Second))
}

// storm runs traffic for three seconds while links fail.
func storm(t *testing.T, r *promise.Recorder, members []*testenv.Member, caches []*mesh.Cache[[]byte]) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	var nemesis sync.WaitGroup
	nemesis.Go(func() {
		for ctx.Err() == nil {
			l := members[rand.N(len(members))].Link
			faults[rand.N(len(faults))](l)
			select {
			case <-time.After(rand.N(900 * time.Millisecond)):
			case <-ctx.Done():
			}
			l.Heal()
		}
	})
	traffic(ctx, r, members, caches)
	nemesis.Wait()
}
