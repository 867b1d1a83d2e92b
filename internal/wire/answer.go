package wire

import "encoding/binary"

// AppendAnswer appends the encoding of a and the values of its results, in the
// order of the results, to dst and returns the extended slice. The Lengths of
// the results must add up to the bytes of the values; they are not set for the
// caller. When a breaks a rule of the protocol, AppendAnswer returns dst as it
// was and an error that wraps ErrMalformed.
func AppendAnswer(dst []byte, a *Answer, values ...[]byte) ([]byte, error) {
	if err := a.check(); err != nil {
		return dst, err
	}
	total := 0
	for _, v := range values {
		total += len(v)
	}
	if err := a.checkValues(total); err != nil {
		return dst, err
	}
	out, err := appendBody(appendHead(dst, kindAnswer), a, len(dst))
	if err != nil || total == 0 {
		return out, err
	}
	out = appendBytesHead(out, total)
	for _, v := range values {
		out = append(out, v...)
	}
	return out, nil
}

// DecodeAnswer is Decode for a message that must be an Answer. The values of
// its results lie in values one after the other, in the order of the results
// and each of the Length that its result names; nothing else does. values
// aliases data and is nil when there are none.
func DecodeAnswer(data []byte) (a *Answer, values []byte, err error) {
	rest, err := openAs(data, kindAnswer)
	if err != nil {
		return nil, nil, err
	}
	a = new(Answer)
	rest, err = decodeFirst(rest, a)
	if err != nil {
		return nil, nil, err
	}
	if len(rest) > 0 {
		if values, err = cutBytes(rest); err != nil {
			return nil, nil, err
		}
	}
	if err := a.check(); err != nil {
		return nil, nil, err
	}
	if err := a.checkValues(len(values)); err != nil {
		return nil, nil, err
	}
	return a, values, nil
}

const (
	bytesHead = 0x40 // the head of a byte string, its length added
	oneByte   = 24   // instead of the length: one byte with it follows
	twoBytes  = 25
	fourBytes = 26
	eightByte = 27
)

// appendBytesHead appends the head of a byte string of n bytes.
func appendBytesHead(dst []byte, n int) []byte {
	switch {
	case n < oneByte:
		return append(dst, bytesHead|byte(n))
	case n < 1<<8:
		return append(dst, bytesHead|oneByte, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, bytesHead|twoBytes), uint16(n))
	case int64(n) < 1<<32:
		return binary.BigEndian.AppendUint32(append(dst, bytesHead|fourBytes), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, bytesHead|eightByte), uint64(n))
}

// cutBytes returns the content of the byte string that data consists of. The
// string is not empty, and its head is the shortest that holds its length.
func cutBytes(data []byte) ([]byte, error) {
	skip := 1
	switch data[0] {
	case bytesHead | oneByte:
		skip = 2
	case bytesHead | twoBytes:
		skip = 3
	case bytesHead | fourBytes:
		skip = 5
	case bytesHead | eightByte:
		skip = 9
	}
	if skip < len(data) {
		content := data[skip:]
		var head [9]byte
		if string(appendBytesHead(head[:0], len(content))) == string(data[:skip]) {
			return content, nil
		}
	}
	return nil, malformed("what follows the answer is not one byte string to the end of the message")
}
