package wire

import (
	"bytes"

	"github.com/fxamacker/cbor/v2"
)

// The decoder's limits. A message that is under them and under the limits of
// its own lists (see check.go) is decoded.
const (
	maxNested = 4  // map, list, map, Instance
	maxFields = 64 // of a map: more than any has, room for later versions'
)

var (
	encoder cbor.UserBufferEncMode
	decoder cbor.DecMode
)

func init() {
	var err error
	encoder, err = cbor.EncOptions{
		Sort:          cbor.SortCoreDeterministic,
		String:        cbor.StringToByteString, // a tag or a text need not be UTF-8
		NilContainers: cbor.NilContainerAsEmpty,
		IndefLength:   cbor.IndefLengthForbidden,
		TagsMd:        cbor.TagsForbidden,
	}.UserBufferEncMode()
	if err != nil {
		panic("wire: encoder options: " + err.Error())
	}
	// Unknown fields are skipped, not refused: later versions add some.
	decoder, err = cbor.DecOptions{
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
		panic("wire: decoder options: " + err.Error())
	}
}

// appendBody appends the encoding of m to dst. On failure it returns dst cut
// to its first keep bytes.
func appendBody(dst []byte, m message, keep int) ([]byte, error) {
	buf := bytes.NewBuffer(dst)
	if err := encoder.MarshalToBuffer(m, buf); err != nil {
		return dst[:keep], malformed("%v: %v", m.kind(), err)
	}
	return buf.Bytes(), nil
}

// decodeBody decodes the item that data consists of into m.
func decodeBody(data []byte, m message) error {
	if err := decoder.Unmarshal(data, m); err != nil {
		return malformed("%v: %v", m.kind(), err)
	}
	return nil
}

// decodeFirst decodes the first item of data into m and returns the rest.
func decodeFirst(data []byte, m message) ([]byte, error) {
	rest, err := decoder.UnmarshalFirst(data, m)
	if err != nil {
		return nil, malformed("%v: %v", m.kind(), err)
	}
	return rest, nil
}
