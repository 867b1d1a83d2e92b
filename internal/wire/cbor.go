package wire

import "encoding/binary"

// Major types of CBOR (RFC 8949, section 3.1): the upper three bits of an
// item's first byte.
const (
	majorUint   = 0x00
	majorNeg    = 0x20
	majorBytes  = 0x40
	majorText   = 0x60
	majorList   = 0x80
	majorMap    = 0xa0
	majorSimple = 0xe0 // false, true, null, floats
	majorMask   = 0xe0
)

// The lower five bits are the item's argument, or say how many bytes of it follow.
const (
	follow1 = 24 + iota
	follow2
	follow4
	follow8
)

const (
	itemFalse = majorSimple | 20
	itemTrue  = majorSimple | 21
	itemNull  = majorSimple | 22
)

// appendItemHead appends the first bytes of an item: the shortest for n.
func appendItemHead(dst []byte, major byte, n uint64) []byte {
	switch {
	case n < follow1:
		return append(dst, major|byte(n))
	case n < 1<<8:
		return append(dst, major|follow1, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, major|follow2), uint16(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32(append(dst, major|follow4), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, major|follow8), n)
}

// cutItemHead cuts the first bytes of an item off data. It reports false when
// they are not all there, not the shortest for their argument, or announce an
// indefinite length. The argument of a float is its bits: any length will do.
func cutItemHead(data []byte) (major byte, n uint64, rest []byte, ok bool) {
	if len(data) == 0 {
		return 0, 0, nil, false
	}
	major, n = data[0]&majorMask, uint64(data[0]&^majorMask)
	rest = data[1:]
	var least uint64
	switch n {
	default:
		return major, n, rest, n < follow1
	case follow1:
		if len(rest) < 1 {
			return 0, 0, nil, false
		}
		n, rest, least = uint64(rest[0]), rest[1:], follow1
	case follow2:
		if len(rest) < 2 {
			return 0, 0, nil, false
		}
		n, rest, least = uint64(binary.BigEndian.Uint16(rest)), rest[2:], 1<<8
	case follow4:
		if len(rest) < 4 {
			return 0, 0, nil, false
		}
		n, rest, least = uint64(binary.BigEndian.Uint32(rest)), rest[4:], 1<<16
	case follow8:
		if len(rest) < 8 {
			return 0, 0, nil, false
		}
		n, rest, least = binary.BigEndian.Uint64(rest), rest[8:], 1<<32
	}
	return major, n, rest, n >= least || major == majorSimple
}
