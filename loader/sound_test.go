package loader

import (
	"context"
	"errors"
	"testing"
)

// fragile is an error type whose methods panic on a nil pointer, as many do.
type fragile struct{ text string }

func (f *fragile) Error() string { return f.text }

// touchy is one that panics when it is compared.
type touchy struct{}

func (touchy) Error() string { return "touchy" }
func (touchy) Is(error) bool { panic("do not compare") }
func nilFragile() error      { var f *fragile; return f }
func nilKeys() error         { var k *KeysError; return k }
func keysOf(err error) error { return &KeysError{Errs: map[string]error{"a": err}} }
func lastOf(err error) error {
	return &KeysError{Errs: map[string]error{"a": errLate, "b": errLate, "c": errLate, "z": err}}
}
func isPanic(err error) bool { var p *PanicError; return errors.As(err, &p) }

var errLate = errors.New("late")

func TestAnErrorThatCannotBeToldFailsItsLoadAsAPanic(t *testing.T) {
	for name, bad := range map[string]error{
		"nil pointer": nilFragile(), "comparison": touchy{}, "nil pointer of a key": keysOf(nilFragile()), "of the last key": lastOf(nilFragile()),
	} {
		one := Of(func(context.Context, string) (int, error) { return 0, bad })
		if _, err := Safely(t.Context(), one, Request[int]{Key: "a"}); !isPanic(err) {
			t.Errorf("%s: one key: %T", name, err)
		}
		many := OfMany(func(context.Context, []string) (map[string]int, error) { return nil, bad })
		if _, err := SafelyMany(t.Context(), many, []Request[int]{{Key: "a"}}); !isPanic(err) {
			t.Errorf("%s: many keys: %T", name, err)
		}
	}
}

func TestANilKeysErrorSaysThatNoKeyFailed(t *testing.T) {
	many := OfMany(func(context.Context, []string) (map[string]int, error) { return map[string]int{"a": 1}, nilKeys() })
	items, err := SafelyMany(t.Context(), many, []Request[int]{{Key: "a"}})
	if items["a"].Value != 1 || isPanic(err) {
		t.Errorf("%v, %v", items, err)
	}
	if text := nilKeys().Error(); text != "0 keys failed" {
		t.Error(text)
	}
}
