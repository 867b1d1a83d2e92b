package node

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// units are the suffixes of a size, in bytes. Binary and decimal units differ
// by up to a tenth, so that both are spelled out and a bare "M" is refused.
var units = map[string]int64{
	"": 1, "b": 1,
	"kb": 1e3, "mb": 1e6, "gb": 1e9,
	"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30,
}

// ParseSize reads a number of bytes: 4096, 10MB (decimal), 64MiB (binary). The
// units are B, kB, MB, GB, KiB, MiB and GiB, in any case. It is never negative.
func ParseSize(s string) (int64, error) {
	digits := strings.TrimLeft(s, "0123456789")
	number := s[:len(s)-len(digits)]
	unit, ok := units[strings.ToLower(digits)]
	if number == "" || !ok {
		return 0, fmt.Errorf("%q is not a size: write a number of bytes such as 4096, 10MB or 64MiB", s)
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n > math.MaxInt64/unit {
		return 0, fmt.Errorf("%q is too large for a size", s)
	}
	return n * unit, nil
}

// formatSize writes a size as ParseSize reads it, in the largest binary unit
// that it is a multiple of.
func formatSize(n int64) string {
	for _, unit := range []string{"GiB", "MiB", "KiB"} {
		if size := units[strings.ToLower(unit)]; n >= size && n%size == 0 {
			return strconv.FormatInt(n/size, 10) + unit
		}
	}
	return strconv.FormatInt(n, 10) + "B"
}
