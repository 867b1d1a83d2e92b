package mesh

import (
	"bytes"
	"fmt"
	"reflect"
)

// Codec turns values into bytes and back. It has the shape of encoding/json's
// pair. All members of a mesh use the same one for a cache. Its methods are
// called by many goroutines at once. Marshal's result belongs to the cache;
// Unmarshal must not keep data, nor change it.
type Codec interface {
	Marshal(v any) ([]byte, error)
	Unmarshal(data []byte, v any) error
}

// coder encodes and decodes the values of one cache. V is known here alone:
// the rest of the package handles bytes and opaque decoded values.
type coder struct {
	encode func(v any) ([]byte, error)
	decode func(data []byte) (any, error)
	// plain: the bytes are the value, so that keeping both costs nothing.
	plain bool
}

func newCoder[V any](c Codec) coder {
	if c == nil {
		var zero V
		switch any(zero).(type) {
		case []byte:
			return coder{
				plain:  true,
				encode: func(v any) ([]byte, error) { b, _ := v.([]byte); return tight(b), nil },
				decode: func(data []byte) (any, error) { return data, nil },
			}
		case string:
			return coder{
				plain:  true,
				encode: func(v any) ([]byte, error) { s, _ := v.(string); return []byte(s), nil },
				decode: func(data []byte) (any, error) { return string(data), nil },
			}
		}
		c = CBOR
	}
	return coder{
		encode: func(v any) (data []byte, err error) {
			defer recovered("Marshal", &err)
			data, err = c.Marshal(v)
			if err != nil {
				return nil, fmt.Errorf("mesh: encode %T: %w", v, err)
			}
			return tight(data), nil
		},
		decode: func(data []byte) (_ any, err error) {
			defer recovered("Unmarshal", &err)
			var v V
			if err := c.Unmarshal(data, &v); err != nil {
				return nil, fmt.Errorf("mesh: decode %v: %w", reflect.TypeFor[V](), err)
			}
			return v, nil
		},
	}
}

// tight is b, or a copy if b keeps much more alive than it shows, as a part of a response or a
// buffer that has grown: the budgets count what is shown.
func tight(b []byte) []byte {
	if cap(b)-len(b) > len(b)/4+64 {
		return bytes.Clone(b)
	}
	return b
}

// recovered makes a panic of a codec an error of the one value.
func recovered(what string, err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("mesh: codec panicked in %s: %v", what, p)
	}
}
