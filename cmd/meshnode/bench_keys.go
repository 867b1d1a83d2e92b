package main

import (
	"bufio"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"sort"
	"strconv"
)

const (
	maxBenchKeys = 10_000_000 // they are held in memory
	maxKeyBytes  = 65_536     // a key of the mesh is no longer
)

// benchKeys are the keys to ask for, the most popular first.
func (c benchConfig) benchKeys() ([]string, error) {
	if c.keyFile != "" {
		return readKeys(c.keyFile)
	}
	if most := maxKeyBytes - len(strconv.Itoa(c.keys-1)); len(c.prefix) > most {
		return nil, usagef("--prefix: it has %d bytes, it may have %d", len(c.prefix), most)
	}
	keys := make([]string, c.keys)
	for i := range keys {
		keys[i] = c.prefix + strconv.Itoa(i)
	}
	return keys, nil
}

// readKeys reads the lines of a file. Empty ones are skipped.
func readKeys(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, usagef("--key-file: %v", err)
	}
	defer f.Close()
	var keys []string
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxKeyBytes+len("\r\n"))
	line := 0
	for lines.Scan() {
		line++
		switch key := lines.Text(); {
		case key == "":
		case len(key) > maxKeyBytes:
			return nil, usagef("--key-file %s: the key in line %d has %d bytes, a key has up to %d", path, line, len(key), maxKeyBytes)
		case len(keys) == maxBenchKeys:
			return nil, usagef("--key-file %s: it has more than %d keys", path, maxBenchKeys)
		default:
			keys = append(keys, key)
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, usagef("--key-file %s: line %d is longer than a key may be, %d bytes", path, line+1, maxKeyBytes)
	case err != nil && !errors.Is(err, io.EOF):
		return nil, usagef("--key-file: %v", err)
	case len(keys) == 0:
		return nil, usagef("--key-file %s: it has no keys", path)
	}
	return keys, nil
}

// popularity picks a key by its rank: the one of rank k with a probability
// proportional to 1/(k+1)^s, Zipf's law for a finite number of keys. It is the
// cumulative distribution, so that any exponent works; math/rand's Zipf needs
// one above 1.
type popularity struct {
	upTo []float64 // the share of this rank and all before it; nil: all alike
	n    int
}

func newPopularity(n int, exponent float64) popularity {
	p := popularity{n: n}
	if exponent == 0 {
		return p
	}
	p.upTo = make([]float64, n)
	sum := 0.0
	for k := range p.upTo {
		sum += math.Pow(float64(k+1), -exponent)
		p.upTo[k] = sum
	}
	for k := range p.upTo {
		p.upTo[k] /= sum
	}
	return p
}

// rank picks one.
func (p popularity) rank(r *rand.Rand) int {
	if p.upTo == nil {
		return r.IntN(p.n)
	}
	u := r.Float64() // below 1, which the last share is
	return sort.Search(p.n-1, func(k int) bool { return p.upTo[k] > u })
}
