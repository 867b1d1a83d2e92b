package promise

import (
	"encoding/binary"
	"math"
	"time"
)

// garbled is the load number of a value that no load made. It is in no history, so that Genuine finds it.
const garbled = math.MaxUint64

// valueHead is the length of what stands before the key in a value: number, beginning and version of its load.
const valueHead = 3 * 8

// valueOf is the value that a load of a Recorder gives: it tells where it comes from.
func valueOf(l Load) []byte {
	b := make([]byte, 0, valueHead+len(l.Key))
	b = binary.BigEndian.AppendUint64(b, l.Number)
	b = binary.BigEndian.AppendUint64(b, uint64(l.Began))
	b = binary.BigEndian.AppendUint64(b, l.Version)
	return append(b, l.Key...)
}

// loadOf is what a value says of its load; false if it is no value of valueOf.
func loadOf(value []byte) (Load, bool) {
	if len(value) < valueHead {
		return Load{}, false
	}
	return Load{
		Number:  binary.BigEndian.Uint64(value),
		Began:   time.Duration(binary.BigEndian.Uint64(value[8:])),
		Version: binary.BigEndian.Uint64(value[16:]),
		Key:     string(value[valueHead:]),
	}, true
}
