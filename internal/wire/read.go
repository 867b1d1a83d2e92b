package wire

import (
	"math"
	"unicode/utf8"
)

// Limits of what a decoder skips because it does not know it.
const (
	maxNested = 4  // the message, a list, its elements, a list in them
	maxFields = 64 // of a map: more than any has, room for later versions'
)

// reader reads the items of a message in RFC 8949's core deterministic
// encoding, and nothing else: definite lengths, shortest integers, ascending
// and so distinct keys in maps, no tags. The first failure sticks: from then on
// there is nothing left to read, and every method returns a zero value.
type reader struct {
	data []byte // what has not been read
	err  error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = malformed(format, args...)
	}
	r.data = nil
}

// item reads the head of an item that must be of one major type.
func (r *reader) item(want byte, what string) uint64 {
	if len(r.data) > 0 && r.data[0]&majorMask == want && r.data[0]&^majorMask < follow1 { // most are
		n := r.data[0] &^ majorMask
		r.data = r.data[1:]
		return uint64(n)
	}
	major, n, rest, ok := cutItemHead(r.data)
	if !ok || major != want {
		r.fail("no %s, or not its shortest encoding, %d bytes before the end", what, len(r.data))
		return 0
	}
	r.data = rest
	return n
}

func (r *reader) uint() uint64 { return r.item(majorUint, "unsigned integer") }

// small reads an unsigned integer up to most.
func (r *reader) small(most uint64) uint64 {
	n := r.uint()
	if n > most {
		r.fail("number %d; %d is the most", n, most)
		return 0
	}
	return n
}

func (r *reader) int() int64 {
	if len(r.data) > 0 && r.data[0]&majorMask == majorNeg {
		n := r.item(majorNeg, "integer")
		if n > math.MaxInt64 {
			r.fail("a number that 64 bits do not hold")
			return 0
		}
		return -1 - int64(n)
	}
	return int64(r.small(math.MaxInt64))
}

func (r *reader) bool() bool {
	if len(r.data) == 0 || r.data[0] != itemFalse && r.data[0] != itemTrue {
		r.fail("neither true nor false, %d bytes before the end", len(r.data))
		return false
	}
	yes := r.data[0] == itemTrue
	r.data = r.data[1:]
	return yes
}

// bytes reads a byte string. It aliases the data.
func (r *reader) bytes() []byte {
	n := r.item(majorBytes, "byte string")
	if n > uint64(len(r.data)) {
		r.fail("a string of %d bytes, %d bytes before the end", n, len(r.data))
		return nil
	}
	s := r.data[:n:n]
	r.data = r.data[n:]
	return s
}

func (r *reader) text() string { return string(r.bytes()) }

// name reads a byte string that is often the same as another.
func (r *reader) name(like string) string {
	s := r.bytes()
	if string(s) == like {
		return like
	}
	return string(s)
}

// list reads the head of a list of at most most elements, each of which has at
// least size bytes when it is valid. That bounds what a short message can make
// its receiver allocate.
func (r *reader) list(what string, most, size int) int {
	n := r.item(majorList, "list")
	if n > uint64(most) {
		r.fail("%s: %d of them; %d are the most", what, n, most)
		return 0
	}
	if int(n)*size > len(r.data) {
		r.fail("%s: %d of them, %d bytes before the end", what, n, len(r.data))
		return 0
	}
	return int(n)
}

// names reads a list of strings. It returns nil for an empty one.
func (r *reader) names(what string, most int) []string {
	n := r.list(what, most, 2)
	if n == 0 {
		return nil
	}
	names := make([]string, n)
	for i := range names {
		names[i] = r.text()
	}
	return names
}

// fields walks over a map: `for f := r.fields(); f.next(); { switch f.key ...`.
// Who does not know a key calls skip.
func (r *reader) fields() fields {
	n := r.item(majorMap, "map")
	if n > maxFields {
		r.fail("a map of %d fields; %d are the most", n, maxFields)
		n = 0
	}
	return fields{r: r, left: n}
}

type fields struct {
	r    *reader
	left uint64
	key  uint64 // of the field whose value is to be read now
}

func (f *fields) next() bool {
	if f.left == 0 || f.r.err != nil {
		return false
	}
	f.left--
	before := f.key
	f.key = f.r.small(math.MaxInt64) // as the library has it
	if f.key <= before {
		f.r.fail("field %d after field %d; they must ascend from 1", f.key, before)
	}
	return f.r.err == nil
}

// skip reads an item of any type, as the value of a field of a map in which
// nested items (itself included) are already open.
func (r *reader) skip(nested int) {
	major, n, rest, ok := cutItemHead(r.data)
	if !ok {
		r.fail("no item, or not its shortest encoding, %d bytes before the end", len(r.data))
		return
	}
	first := r.data[0]
	r.data = rest
	switch major {
	case majorUint, majorNeg:
	case majorBytes, majorText:
		if n > uint64(len(rest)) {
			r.fail("a string of %d bytes, %d bytes before the end", n, len(rest))
		} else if major == majorText && !utf8.Valid(rest[:n]) {
			r.fail("a text that is not UTF-8")
		} else {
			r.data = rest[n:]
		}
	case majorList, majorMap:
		most := uint64(MaxRecords)
		if major == majorMap {
			most = maxFields
		}
		if n > most || nested == maxNested {
			r.fail("an unknown field with %d elements, %d deep", n, nested+1)
			return
		}
		if major == majorMap {
			n *= 2
		}
		for ; n > 0 && r.err == nil; n-- {
			r.skip(nested + 1)
		}
	case majorSimple:
		isFloat := first >= majorSimple|follow2
		if !isFloat && first != itemFalse && first != itemTrue && first != itemNull {
			r.fail("an unknown field with simple value %d", n)
		}
	default:
		r.fail("a tag, %d bytes before the end", len(r.data))
	}
}
