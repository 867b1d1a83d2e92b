package mesh_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/testenv"
)

// stubborn is an origin that goes on when its context has ended.
type stubborn struct{ *testenv.Origin }

func (s stubborn) Load(_ context.Context, req loader.Request[[]byte]) (loader.Item[[]byte], error) {
	return s.Origin.Load(context.Background(), req)
}

// Callers that give up early come one after another, at the owner and elsewhere.
func TestCallersWhoComeAndGoShareALoadThatCannotBeStopped(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		o := stubborn{testenv.NewOrigin()}
		o.SetDelay(time.Second)
		caches := open[[]byte](w, "c", o, mesh.Options{MaxLoads: 2})
		for i, key := range []string{w.keyOf("c", "m0"), w.keyOf("c", "m1")} {
			for n := range 20 {
				ctx, cancel := context.WithTimeout(w.ctx, 20*time.Millisecond)
				_, err := caches[(i+n)%2].Get(ctx, key)
				cancel()
				wantErr(t, err, context.DeadlineExceeded)
			}
			got, err := caches[0].Get(w.ctx, key)
			want(t, got, err, key+"#1")
		}
	})
}

func TestWhoComesWhileACancelledLoadEndsGetsOneThatBeginsAnew(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		o := testenv.NewOrigin()
		slowly := loader.Of(func(ctx context.Context, key string) ([]byte, error) {
			item, err := o.Load(ctx, loader.Request[[]byte]{Key: key})
			if err != nil {
				time.Sleep(100 * time.Millisecond) // to let go of what it held
			}
			return item.Value, err
		})
		caches := open[[]byte](w, "c", slowly, mesh.Options{})
		for i, key := range []string{w.keyOf("c", "m0"), w.keyOf("c", "m1")} {
			o.Hold()
			ctx, cancel := context.WithTimeout(w.ctx, 20*time.Millisecond)
			_, err := caches[i].Get(ctx, key)
			cancel()
			wantErr(t, err, context.DeadlineExceeded)
			testenv.Eventually(t, time.Second, "the load is told to end", func() bool { return o.Waiting() == 0 })
			o.Release()
			got, err := caches[0].Get(w.ctx, key)
			want(t, got, err, key+"#2")
			if st := caches[i].Stats(); st.LoadErrors != 0 {
				t.Errorf("%d errors of the origin are told, and it had none", st.LoadErrors)
			}
		}
	})
}

func TestALoadThatNeverEndsIsWaitedForNoLongerThanLoadTimeoutThoughItsCallersChange(t *testing.T) {
	bubble(t, 1, func(t *testing.T, w *town) {
		o := stubborn{testenv.NewOrigin()}
		o.Hold()
		defer o.Release()
		c := open[[]byte](w, "c", o, mesh.Options{LoadTimeout: time.Second})[0]
		ctx, cancel := context.WithTimeout(w.ctx, 100*time.Millisecond)
		defer cancel()
		_, err := c.Get(ctx, "k")
		wantErr(t, err, context.DeadlineExceeded)
		began := time.Now()
		_, err = c.Get(w.ctx, "k")
		var failed *mesh.LoadError
		if d := time.Since(began); !errors.As(err, &failed) || d > time.Second {
			t.Errorf("%v after %v", err, d)
		}
		o.Release()
		testenv.Eventually(t, time.Second, "the value comes late", func() bool {
			got, err := c.Get(w.ctx, "k")
			return err == nil && string(got) == "k#1" || string(got) == "k#2"
		})
	})
}

func TestALoadThatCannotBeStoppedIsNotJoinedAfterAnInvalidation(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		o := stubborn{testenv.NewOrigin()}
		o.SetDelay(500 * time.Millisecond)
		caches := open[[]byte](w, "c", o, mesh.Options{})
		key := w.keyOf("c", "m1")
		o.Set(key, []byte("old"))
		ctx, cancel := context.WithTimeout(w.ctx, 20*time.Millisecond)
		defer cancel()
		_, err := caches[0].Get(ctx, key)
		wantErr(t, err, context.DeadlineExceeded)
		testenv.Eventually(t, time.Second, "the load goes on", func() bool { return o.Waiting() == 1 })
		o.Set(key, []byte("new"))
		if err := caches[0].Invalidate(w.ctx, key); err != nil {
			t.Fatal(err)
		}
		for _, c := range caches {
			got, err := c.Get(w.ctx, key)
			want(t, got, err, "new")
		}
		time.Sleep(time.Second) // the old load has landed
		for _, c := range caches {
			got, err := c.Get(w.ctx, key)
			want(t, got, err, "new")
		}
	})
}

// That a key does not exist is an answer of the origin, whoever has left meanwhile.
func TestAnAbsenceFoundByALoadThatCannotBeStoppedIsAnAnswer(t *testing.T) {
	bubble(t, 1, func(t *testing.T, w *town) {
		o := stubborn{testenv.NewOrigin()}
		o.Remove("k")
		o.SetDelay(500 * time.Millisecond)
		c := open[[]byte](w, "c", o, mesh.Options{})[0]
		ctx, cancel := context.WithTimeout(w.ctx, 20*time.Millisecond)
		defer cancel()
		_, err := c.Get(ctx, "k")
		wantErr(t, err, context.DeadlineExceeded)
		_, err = c.Get(w.ctx, "k")
		wantErr(t, err, mesh.ErrNotFound)
		if n := o.LoadsOf("k"); n != 1 {
			t.Errorf("%d loads", n)
		}
	})
}
