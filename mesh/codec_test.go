package mesh_test

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
)

// jsonCodec is JSON that fails and panics on command.
type jsonCodec struct{}

func (jsonCodec) Marshal(v any) ([]byte, error) {
	if p, ok := v.(part); ok {
		switch p.Name {
		case "unmarshalable":
			return nil, errors.New("no ink left")
		case "panicking":
			panic("ink everywhere")
		}
	}
	return json.Marshal(v)
}

func (jsonCodec) Unmarshal(data []byte, v any) error {
	switch s := string(data); {
	case strings.Contains(s, "unreadable"):
		return errors.New("glasses lost")
	case strings.Contains(s, "unreadably panicking"), strings.Contains(s, "blinding"):
		panic("too bright")
	}
	return json.Unmarshal(data, v)
}

// travels checks that a value comes back equal on the owner, on another member, and from a replica.
func travels[V any](t *testing.T, value V, codec mesh.Codec) {
	t.Helper()
	bubble(t, 2, func(t *testing.T, w *town) {
		caches := open(w, "c", loader.Of(func(context.Context, string) (V, error) { return value, nil }), mesh.Options{Codec: codec})
		key := w.keyOf("c", "m1")
		for _, c := range []*mesh.Cache[V]{caches[0], caches[1], caches[0]} {
			got, err := c.Get(w.ctx, key)
			if err != nil || !reflect.DeepEqual(got, value) {
				t.Errorf("%#v came back as %#v, %v", value, got, err)
			}
			many, err := c.GetMany(w.ctx, []string{key})
			if err != nil || !reflect.DeepEqual(many[key], value) {
				t.Errorf("%#v among many came back as %#v, %v", value, many, err)
			}
		}
	})
}

func TestValuesOfAnyTypeTravel(t *testing.T) {
	type deep struct {
		Parts map[string][]part
		Next  *deep
		When  time.Time
		Any   *float64
	}
	f := 1.5
	value := deep{Parts: map[string][]part{"a": {{"bolt", 3}}}, Next: &deep{When: time.Unix(7, 0).UTC()}, When: time.Unix(1e9, 0).UTC(), Any: &f}
	for name, codec := range map[string]mesh.Codec{"default": nil, "JSON": jsonCodec{}} {
		t.Run(name, func(t *testing.T) {
			travels(t, part{"bolt", 3}, codec)
			travels(t, &part{"bolt", 3}, codec)
			travels(t, map[string]int{"a": 1, "b": -2}, codec)
			travels(t, []string{"x", "", "ä"}, codec)
			travels(t, 42, codec)
			travels(t, true, codec)
			travels(t, "text", codec)
			travels(t, []byte("bytes"), codec)
			travels[*part](t, nil, codec)
			travels[any](t, "in an interface", codec)
			travels[any](t, nil, codec)
			if name == "JSON" {
				travels(t, value, codec)
			}
			if name == "JSON" {
				return // numbers in an any are all float64
			}
			value.When = time.Date(2026, 2, 3, 4, 5, 6, 789_012_345, time.UTC)
			travels(t, value, codec)
			travels(t, map[string]any{"a": map[string]any{"b": []any{int64(1), int64(-1), 1.5, "x", nil, value.When}}}, codec)
			travels[any](t, map[any]any{int64(1): "a", "b": map[any]any{}}, codec)
			travels(t, map[string]string{"not UTF-8: \xff": "\xfe"}, codec)
			travels(t, make([]int, 200_000), codec)
			deepest := &deep{}
			for range 1000 {
				deepest = &deep{Next: deepest}
			}
			travels(t, deepest, codec)
		})
	}
	travels(t, "not UTF-8: \xff", nil)
	travels(t, "", nil)
}

func TestValuesThatTheDefaultCodecCannotEncodeAreRefusedAtOnce(t *testing.T) {
	bubble(t, 1, func(t *testing.T, w *town) {
		opened := func(what string, err error) {
			t.Helper()
			if err == nil || !strings.Contains(err.Error(), "Codec") || !strings.Contains(err.Error(), what) {
				t.Errorf("values of type %s: %v", what, err)
			}
		}
		_, err := mesh.NewCache(w.meshes[0], "chan", loader.Of(func(context.Context, string) (chan int, error) { return nil, nil }), mesh.Options{})
		opened("chan int", err)
		_, err = mesh.NewCache(w.meshes[0], "func", loader.Of(func(context.Context, string) (func(), error) { return nil, nil }), mesh.Options{})
		opened("func()", err)
		_, err = mesh.NewCache(w.meshes[0], "error", loader.Of(func(context.Context, string) (error, error) { return nil, nil }), mesh.Options{})
		opened("error", err)
		_, err = mesh.NewCache(w.meshes[0], "any", loader.Of(func(context.Context, string) (any, error) { return 1, nil }), mesh.Options{})
		wantErr(t, err, nil)
		_, err = mesh.NewCache(w.meshes[0], "pointer", loader.Of(func(context.Context, string) (*struct{ A []int }, error) { return nil, nil }), mesh.Options{})
		wantErr(t, err, nil)
		_, err = mesh.NewCache(w.meshes[0], "own", loader.Of(func(context.Context, string) (chan int, error) { return nil, nil }), mesh.Options{Codec: jsonCodec{}})
		wantErr(t, err, nil)
	})
}

func TestACodecThatFailsFailsThatKeyAlone(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		name := "fine"
		caches := open(w, "c", loader.Of(func(context.Context, string) (part, error) {
			return part{Name: name}, nil
		}), mesh.Options{Codec: jsonCodec{}})
		key := w.keyOf("c", "m1")
		for bad, text := range map[string]string{
			"unmarshalable": "no ink left", "panicking": "ink everywhere", "unreadable": "glasses lost", "blinding": "too bright",
		} {
			name = bad
			for i, c := range caches {
				if i == 1 && (bad == "unreadable" || bad == "blinding") {
					continue // where it was loaded it needs no decoding
				}
				began := time.Now()
				_, err := c.Get(w.ctx, key)
				wantText(t, err, text)
				_, err = c.Lookup(w.ctx, key)
				wantText(t, err, text)
				got, err := c.GetMany(w.ctx, []string{key})
				if wantText(t, err, text); len(got) > 0 {
					t.Errorf("m%d: %v", i, got)
				}
				wantErr(t, func() error { _, err := c.Get(w.ctx, "", mesh.Fresh()); return err }(), mesh.ErrBadKey)
				if d := time.Since(began); d > 100*time.Millisecond {
					t.Errorf("m%d: %s took %v", i, bad, d)
				}
			}
			if bad == "unmarshalable" || bad == "panicking" {
				wantText(t, caches[0].Set(w.ctx, key, loader.Item[part]{Value: part{Name: bad}}), text)
			}
			name = "fine"
			if err := caches[0].Invalidate(w.ctx, key); err != nil {
				t.Fatal(err)
			}
			for _, c := range caches {
				if got, err := c.Get(w.ctx, key); err != nil || got.Name != "fine" {
					t.Errorf("afterwards: %v, %v", got, err)
				}
			}
			if err := caches[0].Invalidate(w.ctx, key); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestBytesAreNotCopiedForEachReader(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		caches := open(w, "c", loader.Of(func(_ context.Context, key string) ([]byte, error) { return []byte(key), nil }), mesh.Options{})
		key := w.keyOf("c", "m1")
		a, err := caches[1].Get(w.ctx, key)
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := caches[1].Get(w.ctx, key); &a[0] != &b[0] {
			t.Error("two readers of one member have two copies")
		}
	})
}
