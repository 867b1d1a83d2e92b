package wire

import (
	"bytes"
	"testing"

	"github.com/fxamacker/cbor/v2"
)

// libraryDecoder is the library with the strictest options: what the package
// reads by itself, the library must read the same way.
var libraryDecoder = func() cbor.DecMode {
	mode, err := cbor.DecOptions{
		DupMapKey:          cbor.DupMapKeyEnforcedAPF,
		IndefLength:        cbor.IndefLengthForbidden,
		TagsMd:             cbor.TagsForbidden,
		UTF8:               cbor.UTF8RejectInvalid,
		ByteStringToString: cbor.ByteStringToStringAllowed,
		MaxNestedLevels:    maxNested,
		MaxArrayElements:   MaxRecords,
		MaxMapPairs:        maxFields,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return mode
}()

func newOf(k kind) message {
	return map[kind]message{
		kindBeat: &Beat{}, kindTold: &Told{}, kindConfirm: &Confirm{}, kindWant: &Want{}, kindTail: &Tail{},
		kindGone: &Gone{}, kindTaken: &Taken{}, kindAsk: &Ask{}, kindAnswer: &Answer{},
	}[k]
}

// libraryEncode encodes the body of m with the library.
func libraryEncode(tb testing.TB, m message) []byte {
	tb.Helper()
	var buf bytes.Buffer
	if err := encoder.MarshalToBuffer(m, &buf); err != nil {
		tb.Fatalf("library cannot encode %v: %v", m.kind(), err)
	}
	return buf.Bytes()
}

// libraryDecode decodes the body of data, an encoded message, with the library.
func libraryDecode(data []byte) (message, []byte, error) {
	k, rest, err := open(data)
	if err != nil {
		return nil, nil, err
	}
	m := newOf(k)
	rest, err = libraryDecoder.UnmarshalFirst(rest, m)
	return m, rest, err
}
