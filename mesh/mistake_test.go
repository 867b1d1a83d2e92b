package mesh_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/testenv"
)

// broken is an error type whose methods need more than a nil pointer.
type broken struct{ text string }

func (b *broken) Error() string { return b.text }

func TestANilPointerOfAnErrorTypeFailsTheLoadAloneOnAllMembers(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		caches := open(w, "c", loader.Of(func(context.Context, string) (string, error) {
			var b *broken
			return "", b
		}), mesh.Options{})
		key := w.keyOf("c", "m1")
		for i, c := range caches {
			_, err := c.Get(w.ctx, key)
			var le *mesh.LoadError
			if !errors.As(err, &le) || le.Member != "m1" || !strings.Contains(err.Error(), "panicked") {
				t.Errorf("on m%d: %v", i, err)
			}
		}
	})
}

func TestANilKeysErrorFailsNoKey(t *testing.T) {
	bubble(t, 1, func(t *testing.T, w *town) {
		caches := open(w, "c", loader.OfMany(func(_ context.Context, keys []string) (map[string]string, error) {
			var failed *loader.KeysError
			return map[string]string{"a": "1"}, failed
		}), mesh.Options{})
		got, err := caches[0].GetMany(w.ctx, []string{"a", "absent"})
		if err != nil || len(got) != 1 || got["a"] != "1" {
			t.Errorf("%v, %v", got, err)
		}
	})
}

// taciturn is an Observer that gives nothing back.
type taciturn struct{}

func (taciturn) Read(context.Context, mesh.ReadEvent)             {}
func (taciturn) Invalidate(context.Context, mesh.InvalidateEvent) {}
func (taciturn) Trace(context.Context) string                     { return "" }
func (taciturn) Load(context.Context, mesh.LoadEvent) (context.Context, func(error)) {
	return nil, nil
}

func TestAnObserverNeedNotGiveAContextNorAnEnd(t *testing.T) {
	bubble(t, 1, func(t *testing.T, w *town) {
		c := open[[]byte](w, "c", testenv.NewOrigin(), mesh.Options{Observer: taciturn{}})[0]
		got, err := c.Get(w.ctx, "k")
		want(t, got, err, "k#1")
	})
}

func TestALoadThatTakesTooLongSaysSoWhetherOrNotTheLoaderHeedsItsContext(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		o := testenv.NewOrigin()
		o.SetDelay(2 * time.Second)
		for name, from := range map[string]loader.Loader[[]byte]{"heeds": o, "not": stubborn{o}, "many": testenv.NewBatchOrigin()} {
			if b, ok := from.(*testenv.BatchOrigin); ok {
				b.SetDelay(2 * time.Second)
			}
			caches := open(w, name, from, mesh.Options{LoadTimeout: time.Second})
			for _, key := range w.keysOf(name, "m1", 20) {
				_, err := caches[0].Get(w.ctx, key)
				if wantText(t, err, "longer than LoadTimeout", "(1s)"); !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
			}
			time.Sleep(2 * time.Second) // until the last load has ended
		}
	})
}
