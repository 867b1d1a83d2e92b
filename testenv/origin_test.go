package testenv_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/testenv"
)

var (
	_ loader.Loader[[]byte]      = (*testenv.Origin)(nil)
	_ loader.BatchLoader[[]byte] = (*testenv.BatchOrigin)(nil)
)

func load(ctx context.Context, o loader.Loader[[]byte], key string) (string, error) {
	item, err := o.Load(ctx, loader.Request[[]byte]{Key: key})
	return string(item.Value), err
}

func TestAnOriginCountsAndAnswersAsItWasTold(t *testing.T) {
	ctx, o := t.Context(), testenv.NewOrigin()
	want := func(key, value string, err error) {
		t.Helper()
		if v, got := load(ctx, o, key); v != value || !errors.Is(got, err) {
			t.Errorf("%s: %q, %v; want %q, %v", key, v, got, value, err)
		}
	}
	want("a", "a#1", nil)
	want("a", "a#2", nil)
	want("b", "b#1", nil)
	o.Set("a", []byte{})
	want("a", "", nil)
	o.Remove("a")
	want("a", "", loader.ErrNotFound)
	broken := errors.New("broken")
	o.Fail(broken)
	want("b", "", broken)
	o.Fail(nil)
	want("b", "b#3", nil)
	if o.Loads() != 7 || o.LoadsOf("a") != 4 || o.LoadsOf("c") != 0 {
		t.Errorf("%d loads, %d of a, %d of c; want 7, 4, 0", o.Loads(), o.LoadsOf("a"), o.LoadsOf("c"))
	}
}

func TestAHeldLoadAnswersWhatWasTrueWhenItBegan(t *testing.T) {
	o := testenv.NewOrigin()
	o.Hold()
	o.Set("a", []byte("old"))
	got := make(chan string)
	go func() { v, _ := load(t.Context(), o, "a"); got <- v }()
	testenv.Eventually(t, 5*time.Second, "the load waits", func() bool { return o.Waiting() == 1 })
	o.Set("a", []byte("new"))
	o.Release()
	if v := <-got; v != "old" || o.Waiting() != 0 {
		t.Errorf("got %q, %d still waiting", v, o.Waiting())
	}
}

func TestAHeldOrSlowLoadEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := testenv.NewOrigin()
		for what, slow := range map[string]func(){"held": o.Hold, "slow": func() { o.Release(); o.SetDelay(time.Hour) }} {
			slow()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			if _, err := load(ctx, o, "a"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", what, err)
			}
			cancel()
		}
	})
}

func TestABatchOriginLoadsManyAtOnce(t *testing.T) {
	o := testenv.NewBatchOrigin()
	o.Remove("b")
	items, err := o.LoadMany(t.Context(), []loader.Request[[]byte]{{Key: "a"}, {Key: "b"}, {Key: "c"}})
	if err != nil || len(items) != 2 || string(items["c"].Value) != "c#1" {
		t.Errorf("got %v, %v", items, err)
	}
	if o.Batches() != 1 || o.Loads() != 3 {
		t.Errorf("%d batches, %d loads; want 1, 3", o.Batches(), o.Loads())
	}
	o.Fail(errors.New("broken"))
	if _, err := o.LoadMany(t.Context(), nil); err == nil {
		t.Error("a failing origin answered")
	}
}

func ExampleOrigin() {
	o := testenv.NewOrigin()
	first, _ := o.Load(context.Background(), loader.Request[[]byte]{Key: "user/1"})
	second, _ := o.Load(context.Background(), loader.Request[[]byte]{Key: "user/1"})
	fmt.Printf("%s %s %d\n", first.Value, second.Value, o.LoadsOf("user/1"))
	// Output: user/1#1 user/1#2 2
}
