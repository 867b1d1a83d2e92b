package wire

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// The seeds are in testdata/fuzz; -update writes the first of them anew.

func FuzzDecode(f *testing.F) {
	seed(f, func(kind) bool { return true })
	f.Fuzz(func(t *testing.T, data []byte) {
		var got any
		var err error
		allocates(t, len(data), func() { got, err = Decode(data) })
		if got == nil {
			refusedRightly(t, data, err)
			return
		}
		m := got.(message)
		sameAsLibrary(t, data, m)
		if m.kind() != kindAnswer { // FuzzDecodeAnswer does that
			comesBack(t, m)
		}
	})
}

func FuzzDecodeAsk(f *testing.F) {
	seed(f, func(k kind) bool { return k == kindAsk })
	f.Fuzz(func(t *testing.T, data []byte) {
		var a *Ask
		var err error
		allocates(t, len(data), func() { a, err = DecodeAsk(data) })
		if k, _, e := open(data); e == nil && k != kindAsk {
			if a != nil || !errors.Is(err, ErrMalformed) {
				t.Fatalf("%v: %+v, %v", k, a, err)
			}
			return
		}
		if a == nil {
			refusedRightly(t, data, err)
			return
		}
		sameAsLibrary(t, data, a)
		comesBack(t, a)
	})
}

func FuzzDecodeAnswer(f *testing.F) {
	seed(f, func(k kind) bool { return k == kindAnswer })
	f.Fuzz(func(t *testing.T, data []byte) {
		var a *Answer
		var values []byte
		var err error
		allocates(t, len(data), func() { a, values, err = DecodeAnswer(data) })
		if k, _, e := open(data); e == nil && k != kindAnswer {
			if a != nil || values != nil || !errors.Is(err, ErrMalformed) {
				t.Fatalf("%v: %+v, %q, %v", k, a, values, err)
			}
			return
		}
		if a == nil {
			if values != nil {
				t.Fatalf("values %q of no answer", values)
			}
			refusedRightly(t, data, err)
			return
		}
		sameAsLibrary(t, data, a)
		if !bytes.HasSuffix(data, values) {
			t.Fatalf("values %q are not the end of the message", values)
		}
		again, err := AppendAnswer(nil, a, values)
		if err != nil {
			t.Fatalf("decoded, but cannot be encoded: %v", err)
		}
		b, more, err := DecodeAnswer(again)
		if err != nil || !reflect.DeepEqual(a, b) || !bytes.Equal(values, more) {
			t.Fatalf("%+v comes back as %+v, %v", a, b, err)
		}
	})
}

func FuzzSender(f *testing.F) {
	for _, s := range []string{"", "mesh.shop.all.me", "mesh.shop.to.you.me", "mesh.shop.ans.me.*", "mesh.shop.all.", ".", "me", "a.\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, subject string) {
		id, ok := Sender(subject)
		if ok != ValidToken(id) || ok && !strings.HasSuffix(subject, "."+id) {
			t.Fatalf("Sender(%q) is %q, %v", subject, id, ok)
		}
	})
}

// refusedRightly checks the error for data, and that it is not a message in the
// one right encoding after all.
func refusedRightly(t *testing.T, data []byte, err error) {
	t.Helper()
	if !errors.Is(err, ErrNotOurs) && !errors.Is(err, ErrVersion) && !errors.Is(err, ErrMalformed) {
		t.Fatalf("refused with %v", err)
	}
	k, body, e := open(data)
	if e != nil || newOf(k) == nil {
		return
	}
	m, rest, e := libraryDecode(data)
	if e != nil || len(rest) > 0 || m.check() != nil || !bytes.Equal(libraryEncode(t, m), body) {
		return
	}
	if a, ok := m.(*Answer); ok && a.checkValues(0) != nil {
		return
	}
	t.Fatalf("refused with %v, but the library reads %+v", err, m)
}

// sameAsLibrary checks that the library reads the same message in data.
func sameAsLibrary(t *testing.T, data []byte, m message) {
	t.Helper()
	library, _, err := libraryDecode(data)
	if err != nil {
		t.Fatalf("passed, but the library says %v", err)
	}
	// Compared by their encodings, which do not tell nil from empty.
	if !bytes.Equal(libraryEncode(t, m), libraryEncode(t, library)) {
		t.Fatalf("read as   %+v\nlibrary's %+v", m, library)
	}
}

// comesBack checks that m can be encoded, as the library does it, and decoded.
func comesBack(t *testing.T, m message) {
	t.Helper()
	data, err := Append(nil, m)
	if err != nil {
		t.Fatalf("decoded, but cannot be encoded: %v", err)
	}
	if library := libraryEncode(t, m); !bytes.Equal(data[headSize:], library) {
		t.Fatalf("written %x\nlibrary %x", data[headSize:], library)
	}
	if got, err := Decode(data); err != nil || !bytes.Equal(mustAppend(t, got), data) {
		t.Fatalf("%+v comes back as %+v, %v", m, got, err)
	}
}

// Of a message of n bytes decoding allocates at most perByte*n + constant bytes.
// The worst are lists of elements that say next to nothing: a Result takes 5
// bytes on the wire and 168 in memory.
const (
	perByte  = 40
	constant = 8 << 10
)

// allocated returns how much f allocates. Others may allocate meanwhile: the
// least of a few runs counts, and only when the first is over the limit.
func allocated(limit uint64, f func()) uint64 {
	least := uint64(1 << 63)
	for range 5 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		if least = min(least, after.TotalAlloc-before.TotalAlloc); least <= limit {
			break
		}
	}
	return least
}

func allocates(t *testing.T, n int, decode func()) {
	t.Helper()
	limit := uint64(perByte*n + constant)
	if got := allocated(limit, decode); got > limit {
		t.Fatalf("decoding %d bytes allocates %d bytes, more than %d", n, got, limit)
	}
}

// seed makes sure that f has seeds. With -update it writes the first of them: of each sample of the right kinds the
// sample, two truncations and two mutations; and some strangers.
func seed(f *testing.F, right func(kind) bool) {
	dir := filepath.Join("testdata", "fuzz", f.Name())
	if !*update {
		if seeds, err := os.ReadDir(dir); err != nil || len(seeds) == 0 {
			f.Fatalf("no seeds in %s: %v", dir, err)
		}
		return
	}
	write := func(name string, data []byte) {
		text := fmt.Sprintf("go test fuzz v1\n[]byte(%q)\n", data)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			f.Fatal(err)
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		f.Fatal(err)
	}
	for name, s := range samples() {
		if !right(s.msg.kind()) {
			continue
		}
		data := s.encode(f)
		write(name, data)
		write(name+"-cut-half", data[:len(data)/2])
		write(name+"-cut-one", data[:len(data)-1])
		for i, at := range []int{headSize, headSize + len(data[headSize:])/3} {
			mutated := bytes.Clone(data)
			mutated[at] ^= 0x21
			write(fmt.Sprintf("%s-mutated-%d", name, i), mutated)
		}
	}
	for i, name := range []string{"no responders", "a JetStream ack", "an ok", "CBOR null"} {
		write(fmt.Sprintf("stranger-%d", i), []byte(strangers[name]))
	}
	write("version-2", []byte("\x83\x62cm\x02\x06\xa1\x01\x01"))
}
