package store

import (
	"testing"
	"unsafe"
)

// What a hit costs is how many places in memory it has to wait for: the slot of the index,
// and one line of the value.
func TestAHitReadsOneLineOfItsValue(t *testing.T) {
	const line = 64
	var v Value
	if end := unsafe.Offsetof(v.Data) + unsafe.Sizeof(v.Data); end > line {
		t.Errorf("what a hit reads ends at byte %d", end)
	}
	if size := unsafe.Sizeof(v); size > 3*line {
		t.Errorf("a value takes %d bytes: it is not allocated at the beginning of a line", size)
	}
	if n := unsafe.Sizeof(slot{}); line%n != 0 {
		t.Errorf("a slot of %d bytes may lie on two lines", n)
	}
}
