package mesh_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/testenv"
)

// slowEnd heeds its context, but takes d to let go.
func slowEnd(o *testenv.Origin, d time.Duration) loader.Loader[[]byte] {
	return loader.Of(func(ctx context.Context, key string) ([]byte, error) {
		item, err := o.Load(ctx, loader.Request[[]byte]{Key: key})
		if err != nil {
			time.Sleep(d)
		}
		return item.Value, err
	})
}

func TestALoadThatIsResumedAfterAnInvalidationIsTheOneOfTheNewerReads(t *testing.T) {
	bubble(t, 1, func(t *testing.T, w *town) {
		o := testenv.NewOrigin()
		c := open[[]byte](w, "c", slowEnd(o, 200*time.Millisecond), mesh.Options{TTL: time.Hour})[0]
		o.Hold()
		ctx, cancel := context.WithTimeout(w.ctx, 20*time.Millisecond)
		defer cancel()
		_, err := c.Get(ctx, "k")
		wantErr(t, err, context.DeadlineExceeded)
		testenv.Eventually(t, time.Second, "the load is told to end", func() bool { return o.Waiting() == 0 })
		b := get(w.ctx, c, "k") // joins the lingering flight
		time.Sleep(20 * time.Millisecond)
		o.Release()
		if err := c.Invalidate(w.ctx, "k"); err != nil {
			t.Fatal(err)
		}
		got, err := c.Get(w.ctx, "k")
		want(t, got, err, "k#2")
		n := o.LoadsOf("k")
		r := <-b
		want(t, r.value, r.err, "k#2")
		if m := o.LoadsOf("k"); m != n {
			t.Errorf("%d loads, then %d: the resumed one loads what memory holds", n, m)
		}
		got, err = c.Get(w.ctx, "k")
		want(t, got, err, "k#2")
	})
}

func TestALoadThatIsResumedDoesNotReplaceWhatASetHasPut(t *testing.T) {
	bubble(t, 1, func(t *testing.T, w *town) {
		o := testenv.NewOrigin()
		c := open[[]byte](w, "c", slowEnd(o, 200*time.Millisecond), mesh.Options{TTL: time.Hour})[0]
		o.Set("k", []byte("origin"))
		o.Hold()
		ctx, cancel := context.WithTimeout(w.ctx, 20*time.Millisecond)
		defer cancel()
		_, err := c.Get(ctx, "k")
		wantErr(t, err, context.DeadlineExceeded)
		testenv.Eventually(t, time.Second, "the load is told to end", func() bool { return o.Waiting() == 0 })
		b := get(w.ctx, c, "k")
		time.Sleep(20 * time.Millisecond)
		o.Release()
		if err := c.Set(w.ctx, "k", loader.Item[[]byte]{Value: []byte("set")}); err != nil {
			t.Fatal(err)
		}
		got, err := c.Get(w.ctx, "k")
		want(t, got, err, "set")
		r := <-b
		want(t, r.value, r.err, "set")
		got, err = c.Get(w.ctx, "k")
		want(t, got, err, "set")
	})
}

// renewed has a load that a caller begins and leaves, and a stale read that wants it renewed: while it
// goes on, or once it has been told to end.
func renewedBehind(t *testing.T, during bool) {
	bubble(t, 1, func(t *testing.T, w *town) {
		o := testenv.NewOrigin()
		c := open[[]byte](w, "c", slowEnd(o, 100*time.Millisecond), mesh.Options{TTL: time.Second, StaleWhileRevalidate: time.Hour, LoadTimeout: 30 * time.Second})[0]
		got, err := c.Get(w.ctx, "k")
		want(t, got, err, "k#1")
		time.Sleep(2 * time.Second) // stale
		o.Hold()
		ctx, cancel := context.WithTimeout(w.ctx, 50*time.Millisecond)
		defer cancel()
		fresh := get(ctx, c, "k", mesh.Fresh())
		if during {
			time.Sleep(20 * time.Millisecond)
			got, err = c.Get(w.ctx, "k") // stale, would renew
			want(t, got, err, "k#1")
			<-fresh
		} else {
			<-fresh
			got, err = c.Get(w.ctx, "k") // joins what lingers
			want(t, got, err, "k#1")
		}
		time.Sleep(time.Second)
		o.Release()
		began := time.Now()
		for time.Since(began) < 40*time.Second {
			got, err = c.Get(w.ctx, "k")
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != "k#1" {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		if d := time.Since(began); d > 2*time.Second {
			t.Errorf("nobody renews for %v", d)
		}
	})
}

func TestARenewalThatJoinsALoadGoesOnWhenItsCallersLeave(t *testing.T) { renewedBehind(t, true) }

func TestARenewalThatJoinsACancelledLoadBeginsAnew(t *testing.T) { renewedBehind(t, false) }

func TestABatchIsNotCancelledWhileSomebodyWaitsAgain(t *testing.T) {
	bubble(t, 1, func(t *testing.T, w *town) {
		var calls, cancelled atomic.Int32
		many := loader.OfMany(func(ctx context.Context, keys []string) (map[string][]byte, error) {
			calls.Add(1)
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
				cancelled.Add(1)
				return nil, ctx.Err()
			}
			m := map[string][]byte{}
			for _, k := range keys {
				m[k] = []byte(k)
			}
			return m, nil
		})
		c := open[[]byte](w, "c", many, mesh.Options{BatchWindow: 10 * time.Millisecond})[0]
		actx, acancel := context.WithTimeout(w.ctx, 100*time.Millisecond)
		defer acancel()
		bctx, bcancel := context.WithTimeout(w.ctx, 900*time.Millisecond)
		defer bcancel()
		a := get(actx, c, "a")
		b := get(bctx, c, "b")
		<-a
		a2 := get(w.ctx, c, "a")
		<-b
		r := <-a2
		want(t, r.value, r.err, "a")
		if calls.Load() != 1 || cancelled.Load() != 0 {
			t.Errorf("%d calls, %d cancelled while somebody waited", calls.Load(), cancelled.Load())
		}
	})
}

func TestAnErrorOfABatchIsTheAnswerForThoseWhoCameAfterOthersHadLeft(t *testing.T) {
	bubble(t, 1, func(t *testing.T, w *town) {
		var calls atomic.Int32
		many := loader.OfMany(func(ctx context.Context, keys []string) (map[string][]byte, error) {
			calls.Add(1)
			time.Sleep(500 * time.Millisecond)
			return nil, errDown
		})
		c := open[[]byte](w, "c", many, mesh.Options{BatchWindow: 10 * time.Millisecond})[0]
		actx, acancel := context.WithTimeout(w.ctx, 100*time.Millisecond)
		defer acancel()
		a, b := get(actx, c, "a"), get(w.ctx, c, "b")
		<-a
		a2 := get(w.ctx, c, "a")
		<-b
		r := <-a2
		wantErr(t, r.err, errDown)
		if calls.Load() != 1 {
			t.Errorf("%d calls; the first answered for all, LoadErrors %d", calls.Load(), c.Stats().LoadErrors)
		}
	})
}

type downError string

func (e downError) Error() string { return string(e) }

const errDown = downError("origin down")

func TestAfterSoftTimeoutALoadGoesOnThatHadBeenCancelled(t *testing.T) {
	bubble(t, 1, func(t *testing.T, w *town) {
		o := testenv.NewOrigin()
		c := open[[]byte](w, "c", slowEnd(o, 500*time.Millisecond), mesh.Options{TTL: 10 * time.Second, StaleIfError: time.Hour, SoftTimeout: 100 * time.Millisecond})[0]
		got, err := c.Get(w.ctx, "k")
		want(t, got, err, "k#1")
		time.Sleep(11 * time.Second)
		o.Hold()
		ctx, cancel := context.WithTimeout(w.ctx, 20*time.Millisecond)
		defer cancel()
		_, err = c.Get(ctx, "k", mesh.Fresh())
		wantErr(t, err, context.DeadlineExceeded)
		got, err = c.Get(w.ctx, "k") // after SoftTimeout, and the load is to go on
		want(t, got, err, "k#1")
		o.Release()
		time.Sleep(800 * time.Millisecond)
		e, err := c.Get(w.ctx, "k", mesh.CachedOnly())
		if err != nil || string(e) == "k#1" {
			t.Errorf("%q, %v: no load went on behind the stale answer", e, err)
		}
	})
}

func TestPlacesForLoadsComeBackFromCallersWhoComeAndGo(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		o := testenv.NewOrigin()
		caches := open[[]byte](w, "c", slowEnd(o, 30*time.Millisecond), mesh.Options{MaxLoads: 2, LoadTimeout: time.Second, TTL: time.Millisecond})
		o.SetDelay(70 * time.Millisecond)
		done := make(chan struct{})
		for g := range 16 {
			go func() {
				defer func() { done <- struct{}{} }()
				for i := range 200 {
					ctx, cancel := context.WithTimeout(w.ctx, time.Duration(1+(g*31+i*17)%150)*time.Millisecond)
					_, _ = caches[g%2].Get(ctx, "k"+string(rune('a'+(g+i)%5)))
					cancel()
					if i%23 == 0 {
						_ = caches[g%2].Invalidate(w.ctx, "ka", "kb")
					}
				}
			}()
		}
		for range 16 {
			<-done
		}
		time.Sleep(5 * time.Second)
		for _, c := range caches {
			st := c.Stats()
			if st.LoadsUnderWay != 0 {
				t.Errorf("under way %d", st.LoadsUnderWay)
			}
		}
		o.SetDelay(0)
		for i := range 5 {
			if _, err := caches[0].Get(w.ctx, "k"+string(rune('a'+i))); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestABatchIsToldToEndWhenTheLastLeavesWhoCameLate(t *testing.T) {
	bubble(t, 1, func(t *testing.T, w *town) {
		ended := make(chan time.Time, 1)
		from := loader.OfMany(func(ctx context.Context, _ []string) (map[string]string, error) {
			<-ctx.Done()
			ended <- time.Now()
			return nil, context.Cause(ctx)
		})
		c := openOn(w, w.meshes[0], "c", from, mesh.Options{BatchWindow: time.Millisecond})
		began := time.Now()
		until := func(d time.Duration) context.Context {
			ctx, cancel := context.WithDeadline(w.ctx, began.Add(d))
			t.Cleanup(cancel)
			return ctx
		}
		get(until(100*time.Millisecond), c, "a")
		get(until(300*time.Millisecond), c, "b")
		time.Sleep(200 * time.Millisecond)
		get(until(400*time.Millisecond), c, "a") // whose load had been abandoned
		if took := (<-ended).Sub(began); took < 400*time.Millisecond || took > 450*time.Millisecond {
			t.Errorf("nobody waits after 400ms, and it was told to end after %v", took)
		}
		if n := c.Stats().Loads; n != 1 {
			t.Errorf("%d loads", n)
		}
	})
}
