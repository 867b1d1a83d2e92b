package mesh_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/testenv"
)

func TestTenThousandGetsOfAColdKeyCostOneLoad(t *testing.T) {
	w := newTown(t, testenv.NATS(t), 4)
	o := testenv.NewOrigin()
	o.SetDelay(50 * time.Millisecond)
	var caches []*mesh.Cache[[]byte]
	for _, m := range w.meshes {
		caches = append(caches, openOn[[]byte](w, m, "c", o, mesh.Options{}))
	}
	// At once: the caches' openings are not confirmed yet.
	var wg sync.WaitGroup
	for i := range 10000 {
		wg.Go(func() {
			got, err := caches[i%4].Get(w.ctx, "cold")
			want(t, got, err, "cold#1")
		})
	}
	wg.Wait()
	if n := o.Loads(); n != 1 {
		t.Errorf("%d loads", n)
	}
}

func TestCallersOfOneMemberShareAQuestion(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		o := testenv.NewOrigin()
		caches := open[[]byte](w, "c", o, mesh.Options{})
		key := w.keyOf("c", "m1")
		o.Hold()
		var waiting []<-chan answer[[]byte]
		for range 100 {
			waiting = append(waiting, get(w.ctx, caches[0], key))
		}
		time.Sleep(time.Second)
		o.Release()
		for _, ch := range waiting {
			a := <-ch
			want(t, a.value, a.err, key+"#1")
		}
		if st := caches[0].Stats(); st.Fetches != 1 || st.Coalesced != 99 || st.Gets != 100 {
			t.Errorf("%d gets made %d questions, and %d shared one", st.Gets, st.Fetches, st.Coalesced)
		}
	})
}

func TestTwelveReadersOfTwoThousandKeysCostTwoThousandLoads(t *testing.T) {
	bubble(t, 3, func(t *testing.T, w *town) {
		o := testenv.NewOrigin()
		caches := make([]*mesh.Cache[[]byte], 3)
		for i, m := range w.meshes {
			caches[i] = openOn[[]byte](w, m, "c", o, mesh.Options{})
		}
		var wg sync.WaitGroup
		for r := range 12 {
			wg.Go(func() {
				for i := range 2000 {
					key := fmt.Sprint("k", (i+r*100)%2000)
					got, err := caches[r%3].Get(w.ctx, key)
					want(t, got, err, key+"#1")
				}
			})
		}
		wg.Wait()
		if n := o.Loads(); n != 2000 {
			t.Errorf("%d loads", n)
		}
	})
}

func TestGetManyTravelsTogether(t *testing.T) {
	for name, opts := range map[string][]mesh.ReadOption{
		"loading": nil, "cached only": {mesh.CachedOnly()}, "fresh": {mesh.Fresh()}, "at most so old": {mesh.MaxAge(time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 3, func(t *testing.T, w *town) {
				o := testenv.NewOrigin()
				caches := open[[]byte](w, "c", o, mesh.Options{})
				var keys []string
				for i := range 500 {
					keys = append(keys, fmt.Sprint("k", i))
				}
				before := w.meshes[0].Stats()
				got, err := caches[0].GetMany(w.ctx, append(keys, keys...), opts...)
				if name == "cached only" {
					var ke *mesh.KeysError
					if !errors.As(err, &ke) || len(ke.Errs) != 500 || !errors.Is(ke.Errs["k7"], mesh.ErrNotCached) || len(got) != 0 {
						t.Errorf("%d values, %v", len(got), err)
					}
				} else if err != nil || len(got) != 500 || string(got["k17"]) != "k17#1" || o.Loads() != 500 {
					t.Errorf("%d values, %v, %d loads", len(got), err, o.Loads())
				}
				after := w.meshes[0].Stats()
				batches, questions := after.Batches-before.Batches, after.Questions-before.Questions
				if questions < 200 || questions > 500 || batches > 20 {
					t.Errorf("%d questions in %d messages", questions, batches)
				}
			})
		})
	}
}

func TestGetManyFailsKeyByKey(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		boom := errors.New("disk on fire")
		caches := open(w, "c", loader.Of(func(_ context.Context, key string) (string, error) {
			switch key[0] {
			case 'a':
				return "", mesh.ErrNotFound
			case 'f':
				return "", boom
			}
			return "v" + key, nil
		}), mesh.Options{})
		var keys, failing []string
		for i := range 20 { // enough for keys of both owners
			keys = append(keys, fmt.Sprint("ok", i), fmt.Sprint("absent", i), fmt.Sprint("failing", i))
			failing = append(failing, fmt.Sprint("failing", i))
		}
		long := string(make([]byte, 65537))
		got, err := caches[0].GetMany(w.ctx, append(keys, "", long))
		var ke *mesh.KeysError
		if !errors.As(err, &ke) {
			t.Fatalf("the error is %v", err)
		}
		if len(got) != 20 || got["ok3"] != "vok3" {
			t.Errorf("the values are %v", got)
		}
		if len(ke.Errs) != 22 {
			t.Errorf("%d keys failed", len(ke.Errs))
		}
		wantErr(t, ke.Errs[""], mesh.ErrBadKey)
		wantErr(t, ke.Errs[long], mesh.ErrBadKey)
		for _, key := range failing {
			var le *mesh.LoadError
			if err := ke.Errs[key]; !errors.As(err, &le) || le.Key != key || le.Err.Error() != boom.Error() {
				t.Errorf("%s failed with %v", key, err)
			}
		}
		if got, err := caches[1].GetMany(w.ctx, nil); err != nil || got == nil || len(got) != 0 {
			t.Errorf("no keys: %v, %v", got, err)
		}
	})
}

func TestGetManyEndsWithItsContext(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		o := testenv.NewOrigin()
		caches := open[[]byte](w, "c", o, mesh.Options{})
		here, there := w.keyOf("c", "m0"), w.keyOf("c", "m1")
		warm := w.keysOf("c", "m0", 2)[1]
		got, err := caches[0].Get(w.ctx, warm)
		want(t, got, err, warm+"#1")
		o.Hold()
		ctx, cancel := context.WithTimeout(w.ctx, 3*time.Second)
		defer cancel()
		began := time.Now()
		values, err := caches[0].GetMany(ctx, []string{here, there, warm})
		var ke *mesh.KeysError
		if !errors.As(err, &ke) || len(ke.Errs) != 2 || len(values) != 1 {
			t.Fatalf("%v, %v", values, err)
		}
		wantErr(t, ke.Errs[here], context.DeadlineExceeded)
		wantErr(t, ke.Errs[there], context.DeadlineExceeded)
		if d := time.Since(began); d > 3100*time.Millisecond {
			t.Errorf("it took %v", d)
		}
		w.soon("the loads that nobody waits for are cancelled", func() bool { return o.Waiting() == 0 })
	})
}

func TestManyMembersWithManyBatchesGetTheirOwnValues(t *testing.T) {
	bubble(t, 4, func(t *testing.T, w *town) {
		o := testenv.NewOrigin()
		caches := open[[]byte](w, "c", o, mesh.Options{})
		var wg sync.WaitGroup
		for i, c := range caches {
			wg.Go(func() {
				for round := range 5 {
					var keys []string
					for k := range 300 {
						keys = append(keys, fmt.Sprint("r", round, "k", k))
					}
					slices.Reverse(keys[:i*60])
					got, err := c.GetMany(w.ctx, keys)
					if err != nil || len(got) != 300 {
						t.Errorf("%d values, %v", len(got), err)
					}
					for k, v := range got {
						want(t, v, nil, k+"#1")
					}
				}
			})
		}
		wg.Wait()
		if n := o.Loads(); n != 1500 {
			t.Errorf("%d loads of 1500 keys", n)
		}
	})
}
