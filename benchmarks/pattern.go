package main

import (
	"math/rand/v2"
	"strconv"
	"strings"
)

// patterns are orders in which keys are asked for. Each maker gives a function
// that names the next key, and draws the same keys from the same seed.
var patterns = map[string]func(keys int, seed uint64) func() int{
	"uniform": func(keys int, seed uint64) func() int {
		r := source(seed)
		return func() int { return r.IntN(keys) }
	},
	"zipf 1.01": func(keys int, seed uint64) func() int { return zipf(1.01, keys, seed) },
	"zipf 1.1":  func(keys int, seed uint64) func() int { return zipf(1.1, keys, seed) },
	"zipf 1.2":  func(keys int, seed uint64) func() int { return zipf(1.2, keys, seed) },
	"zipf 1.01 and scans": func(keys int, seed uint64) func() int {
		return scans(zipf(1.01, keys, seed), keys)
	},
	"zipf 1.1 and scans": func(keys int, seed uint64) func() int {
		return scans(zipf(1.1, keys, seed), keys)
	},
	"drifting": drifting,
}

func source(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15)) }

func zipf(s float64, keys int, seed uint64) func() int {
	z := rand.NewZipf(source(seed), s, 1, uint64(keys-1))
	return func() int { return int(z.Uint64()) }
}

// scans lets 5,000 keys that nobody asks for again follow on each 20,000 of next's.
func scans(next func() int, keys int) func() int {
	const between, long = 20_000, 5_000
	at, unseen := 0, keys
	return func() int {
		at++
		if at%(between+long) < between {
			return next()
		}
		unseen++
		return unseen
	}
}

// drifting is like a table of orders: half of the gets are for rows that are the
// more popular the newer they are, and rows are added; the others for rows of
// lasting popularity.
func drifting(keys int, seed uint64) func() int {
	lasting, recent, r := zipf(1.05, keys, seed), zipf(1.05, keys, seed+1), source(seed+2)
	newest := 2 * keys
	return func() int {
		if r.IntN(2) == 0 {
			return lasting()
		}
		if r.IntN(10) == 0 {
			newest++
		}
		return max(newest-recent(), keys)
	}
}

// keyNames are the names of a command's keys.
func keyNames(c command) []string {
	names := make([]string, c.Keys)
	for i := range names {
		names[i] = keyName(c, i)
	}
	return names
}

func keyName(c command, i int) string {
	var b strings.Builder
	b.WriteString(strconv.Itoa(c.Size))
	b.WriteByte('/')
	b.WriteString(c.Prefix)
	b.WriteString(strconv.Itoa(i))
	return b.String()
}
