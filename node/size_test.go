package node_test

import (
	"fmt"
	"testing"

	"github.com/cachemesh/cachemesh/node"
)

func ExampleParseSize() {
	for _, s := range []string{"4096", "10MB", "64MiB", "64M"} {
		fmt.Println(node.ParseSize(s))
	}
	// Output:
	// 4096 <nil>
	// 10000000 <nil>
	// 67108864 <nil>
	// 0 "64M" is not a size: write a number of bytes such as 4096, 10MB or 64MiB
}

func TestSizesHaveBinaryAndDecimalUnits(t *testing.T) {
	for s, want := range map[string]int64{
		"0": 0, "1": 1, "1b": 1, "7B": 7, "2kB": 2000, "2KB": 2000, "2KiB": 2048, "3mb": 3e6, "3MIB": 3 << 20,
		"1GB": 1e9, "1GiB": 1 << 30, "9223372036854775807": 1<<63 - 1,
		"": -1, "MiB": -1, "-1": -1, "+1": -1, "1.5MiB": -1, "1 MiB": -1, "1TiB": -1, "1M": -1, "0x10": -1,
		"9223372036854775808": -1, "8589934592GiB": -1,
	} {
		got, err := node.ParseSize(s)
		if want < 0 && err == nil || want >= 0 && (err != nil || got != want) {
			t.Errorf("%q: %d, %v, want %d", s, got, err, want)
		}
	}
}
