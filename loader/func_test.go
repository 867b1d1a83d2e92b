package loader

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestANilFunctionMakesANilLoader(t *testing.T) {
	if l := Of[int](nil); l != nil {
		t.Errorf("Of(nil) = %v", l)
	}
	if l := OfMany[int](nil); l != nil {
		t.Errorf("OfMany(nil) = %v", l)
	}
}

func TestANilFuncIsAnErrorNotAPanic(t *testing.T) {
	if _, err := Func[int](nil).Load(t.Context(), Request[int]{Key: "a"}); !errors.Is(err, ErrNoLoader) {
		t.Errorf("error %v", err)
	}
}

func TestOfPassesTheKeyAndTheError(t *testing.T) {
	l := Of(func(_ context.Context, key string) (string, error) {
		if key == "gone" {
			return "ignored", fmt.Errorf("table users: %w", ErrNotFound)
		}
		return strings.ToUpper(key), nil
	})
	if item, err := l.Load(t.Context(), Request[string]{Key: "a"}); err != nil || item.Value != "A" {
		t.Errorf("a: %+v, %v", item, err)
	}
	if item, err := l.Load(t.Context(), Request[string]{Key: "gone"}); !errors.Is(err, ErrNotFound) || item.Value != "" {
		t.Errorf("gone: %+v, %v", item, err)
	}
	if _, batch := l.(BatchLoader[string]); batch {
		t.Error("Of makes no BatchLoader")
	}
}

// some answers "v:key" for keys that begin with v, fails those that begin with
// x, and adds one that nobody asked for.
func some(_ context.Context, keys []string) (map[string]string, error) {
	values := map[string]string{"uninvited": "?"}
	errs := map[string]error{}
	for _, key := range keys {
		switch key[0] {
		case 'v':
			values[key] = "v:" + key
		case 'x':
			values[key] = "half read"
			errs[key] = errors.New("broken " + key)
		}
	}
	if len(errs) > 0 {
		return values, fmt.Errorf("batch: %w", &KeysError{Errs: errs})
	}
	return values, nil
}

func requests(keys ...string) []Request[string] {
	reqs := make([]Request[string], len(keys))
	for i, key := range keys {
		reqs[i].Key = key
	}
	return reqs
}

func TestAKeyThatABatchLeavesOutIsNotFound(t *testing.T) {
	l := OfMany(some)
	items, err := l.LoadMany(t.Context(), requests("v1", "n1", "v2"))
	if got := slices.Sorted(maps.Keys(items)); err != nil || !slices.Equal(got, []string{"v1", "v2"}) {
		t.Errorf("items %v, error %v", got, err)
	}
	if _, err := l.Load(t.Context(), Request[string]{Key: "n1"}); !errors.Is(err, ErrNotFound) {
		t.Errorf("alone: %v", err)
	}
}

func TestAKeysErrorFailsThoseKeysAlone(t *testing.T) {
	l := OfMany(some)
	items, err := l.LoadMany(t.Context(), requests("v1", "x1", "v2"))
	var failed *KeysError
	if !errors.As(err, &failed) || len(failed.Errs) != 1 || failed.Errs["x1"] == nil {
		t.Fatalf("error %v", err)
	}
	if got := slices.Sorted(maps.Keys(items)); !slices.Equal(got, []string{"v1", "v2"}) {
		t.Errorf("items %v", got)
	}
	if _, err := l.Load(t.Context(), Request[string]{Key: "x1"}); err == nil || err.Error() != "broken x1" {
		t.Errorf("alone: %v", err)
	}
	if item, err := l.Load(t.Context(), Request[string]{Key: "v1"}); err != nil || item.Value != "v:v1" {
		t.Errorf("alone: %+v, %v", item, err)
	}
}

func TestAnotherErrorFailsTheWholeBatch(t *testing.T) {
	down := errors.New("down")
	l := OfMany(func(context.Context, []string) (map[string]int, error) { return map[string]int{"a": 1}, down })
	if items, err := l.LoadMany(t.Context(), []Request[int]{{Key: "a"}}); err != down || items != nil {
		t.Errorf("items %v, error %v", items, err)
	}
	if _, err := l.Load(t.Context(), Request[int]{Key: "a"}); err != down {
		t.Errorf("error %v", err)
	}
}

func TestAKeysErrorTellsHowManyAndTheFirstFew(t *testing.T) {
	long := strings.Repeat("z", 65536)
	for _, tc := range []struct {
		errs map[string]error
		want string
	}{
		{nil, "0 keys failed"},
		{map[string]error{"a\n": ErrNotFound}, `1 key failed: "a\n": not found`},
		{map[string]error{"b": errors.New("y"), "a": errors.New("x"), "ok": nil}, `2 keys failed: "a": x, "b": y`},
		{
			map[string]error{"a": ErrNotFound, "b": ErrNotFound, "c": ErrNotFound, "d": ErrNotFound, "e": ErrNotFound},
			`5 keys failed: "a": not found, "b": not found, "c": not found, and 2 more`,
		},
		{map[string]error{long: ErrNotFound}, `1 key failed: "` + long[:64] + `"... (65536 bytes): not found`},
	} {
		if got := (&KeysError{Errs: tc.errs}).Error(); got != tc.want {
			t.Errorf("got  %s\nwant %s", got, tc.want)
		}
	}
}

func TestAKeysErrorUnwrapsToItsErrors(t *testing.T) {
	var err error = &KeysError{Errs: map[string]error{"b": ErrNotFound, "a": context.Canceled, "c": nil}}
	if !errors.Is(err, ErrNotFound) || !errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("errors.Is is wrong about %v", err)
	}
}

func TestANilKeysErrorFailsNoKey(t *testing.T) {
	l := OfMany(func(_ context.Context, keys []string) (map[string]int, error) {
		var none *KeysError
		return map[string]int{"a": 1}, none
	})
	item, err := l.Load(t.Context(), Request[int]{Key: "a"})
	if item.Value != 1 || err != nil {
		t.Errorf("a: %d, %v", item.Value, err)
	}
	if _, err := l.Load(t.Context(), Request[int]{Key: "b"}); err != ErrNotFound {
		t.Errorf("b: %v", err)
	}
}
