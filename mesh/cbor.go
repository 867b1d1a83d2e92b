package mesh

import (
	"errors"
	"math"
	"reflect"

	"github.com/fxamacker/cbor/v2"
)

// CBOR is the default codec for types other than []byte and string: RFC 8949,
// structs by field name. What it brings back is what was put in, but for
//
//   - what has no place in it: unexported fields, and types that hide what they are in such and
//     have no MarshalCBOR or MarshalBinary;
//   - numbers in an any, which come back as int64 or float64, or as a *big.Int where int64 is too
//     small; maps in an any are map[string]any, and map[any]any only where some key is no string;
//   - monotonic clock readings, and the names of time zones: times keep their nanoseconds and offset.
//
// A value must not contain itself: encoding it would overflow the stack.
var CBOR Codec = newCBOR()

// cborCodec decodes into maps by text first, which is what most maps in an any are.
type cborCodec struct {
	enc          cbor.EncMode
	byText, byIt cbor.DecMode
}

func newCBOR() cborCodec {
	enc, err := cbor.EncOptions{Time: cbor.TimeRFC3339Nano, TimeTag: cbor.EncTagRequired}.EncMode()
	if err != nil {
		panic(err) // the options are constants
	}
	// What one member encodes all others decode: the bytes are there before their lengths are
	// believed, so that these bounds protect nobody.
	opts := cbor.DecOptions{
		MaxArrayElements: math.MaxInt32, MaxMapPairs: math.MaxInt32, MaxNestedLevels: math.MaxUint16,
		UTF8: cbor.UTF8DecodeInvalid, IntDec: cbor.IntDecConvertSignedOrBigInt,
	}
	byIt, err := opts.DecMode()
	if err != nil {
		panic(err)
	}
	opts.DefaultMapType = reflect.TypeFor[map[string]any]()
	byText, err := opts.DecMode()
	if err != nil {
		panic(err)
	}
	return cborCodec{enc, byText, byIt}
}

func (c cborCodec) Marshal(v any) ([]byte, error) { return c.enc.Marshal(v) }

func (c cborCodec) Unmarshal(data []byte, v any) error {
	err := c.byText.Unmarshal(data, v)
	var typed *cbor.UnmarshalTypeError
	if !errors.As(err, &typed) {
		return err
	}
	reflect.ValueOf(v).Elem().SetZero()
	return c.byIt.Unmarshal(data, v)
}
