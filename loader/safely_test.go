package loader

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
)

func explode() { panic("boom") }

func TestAPanicInALoaderIsAnErrorWithItsStack(t *testing.T) {
	l := Of(func(context.Context, string) (int, error) { explode(); return 1, nil })
	item, err := Safely(t.Context(), l, Request[int]{Key: "a"})
	var p *PanicError
	if !errors.As(err, &p) || p.Value != "boom" || !bytes.Contains(p.Stack, []byte("loader.explode")) {
		t.Fatalf("error %v", err)
	}
	if !strings.Contains(err.Error(), "boom") || item.Value != 0 {
		t.Errorf("item %v, error %v", item, err)
	}
}

func TestAPanicWithErrNotFoundIsNotNotFound(t *testing.T) {
	l := Of(func(context.Context, string) (int, error) { panic(ErrNotFound) })
	if _, err := Safely(t.Context(), l, Request[int]{Key: "a"}); err == nil || errors.Is(err, ErrNotFound) {
		t.Fatalf("error %v", err)
	}
}

func TestAPanicWithNilIsAnError(t *testing.T) {
	l := Of(func(context.Context, string) (int, error) { panic(nil) })
	_, err := Safely(t.Context(), l, Request[int]{Key: "a"})
	var p *PanicError
	if !errors.As(err, &p) || errors.Is(err, ErrGoexit) {
		t.Fatalf("error %v", err)
	}
}

func TestAGoexitInALoaderIsAnErrorAndSparesTheCaller(t *testing.T) {
	l := OfMany(func(context.Context, []string) (map[string]int, error) { runtime.Goexit(); return nil, nil })
	if _, err := Safely(t.Context(), Loader[int](l), Request[int]{Key: "a"}); !errors.Is(err, ErrGoexit) {
		t.Errorf("Safely: %v", err)
	}
	if _, err := SafelyMany(t.Context(), l, []Request[int]{{Key: "a"}}); !errors.Is(err, ErrGoexit) {
		t.Errorf("SafelyMany: %v", err)
	}
}

func TestSafelyPassesContextRequestAndResult(t *testing.T) {
	type mark struct{}
	ctx := context.WithValue(t.Context(), mark{}, 1)
	prev := &Item[int]{ETag: "e"}
	failed := errors.New("failed")
	l := Func[int](func(ctx context.Context, req Request[int]) (Item[int], error) {
		if ctx.Value(mark{}) != 1 || req.Key != "a" || req.Prev != prev {
			t.Errorf("request %+v", req)
		}
		return Item[int]{Value: 3, ETag: "f"}, failed
	})
	if item, err := Safely(ctx, Loader[int](l), Request[int]{Key: "a", Prev: prev}); item.Value != 3 || item.ETag != "f" || err != failed {
		t.Errorf("%+v, %v", item, err)
	}
}

func TestSafelyRefusesANilLoader(t *testing.T) {
	if _, err := Safely[int](t.Context(), nil, Request[int]{}); !errors.Is(err, ErrNoLoader) {
		t.Errorf("Safely: %v", err)
	}
	if _, err := SafelyMany[int](t.Context(), nil, nil); !errors.Is(err, ErrNoLoader) {
		t.Errorf("SafelyMany: %v", err)
	}
}
