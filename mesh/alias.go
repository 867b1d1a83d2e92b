package mesh

import "unsafe"

// bytesOf is s as bytes that must not be written to, without a copy: keys and
// values of type string travel as they are.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// stringOf is b as a string, without a copy. b is never written to again.
func stringOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
