package wire

import (
	"bytes"

	"github.com/fxamacker/cbor/v2"
)

// encoder encodes the control messages. Its output is RFC 8949's core
// deterministic encoding, so that golden bytes hold.
var encoder = func() cbor.UserBufferEncMode {
	mode, err := cbor.EncOptions{
		Sort:          cbor.SortCoreDeterministic,
		String:        cbor.StringToByteString, // a tag or a text need not be UTF-8
		NilContainers: cbor.NilContainerAsEmpty,
		IndefLength:   cbor.IndefLengthForbidden,
		TagsMd:        cbor.TagsForbidden,
	}.UserBufferEncMode()
	if err != nil {
		panic("wire: encoder options: " + err.Error())
	}
	return mode
}()

// appendBody appends the encoding of m to dst. It writes the questions and
// answers of the read path by itself, which takes a fraction of the time that
// the library takes and gives the same bytes.
func appendBody(dst []byte, m message) ([]byte, error) {
	switch m := m.(type) {
	case *Ask:
		w := writer{dst}
		w.ask(m)
		return w.buf, nil
	case *Answer:
		w := writer{dst}
		w.answer(m)
		return w.buf, nil
	}
	buf := bytes.NewBuffer(dst)
	if err := encoder.MarshalToBuffer(m, buf); err != nil {
		return dst, malformed("%v: %v", m.kind(), err)
	}
	return buf.Bytes(), nil
}
