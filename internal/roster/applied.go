package roster

import "slices"

// maxSpans bounds what is remembered out of order of one numbering.
const maxSpans = 1024

// progress is a set of numbers, counted from 1, that is nearly always a prefix:
// every number up to prefix, and the spans above it that came out of order.
type progress struct {
	prefix uint64
	spans  []span // ascending, apart from each other and from the prefix
}

type span struct{ lo, hi uint64 }

// has reports whether n is in the set.
func (p *progress) has(n uint64) bool { return p.hasAll(n, n) }

// hasAll reports whether lo to hi are all in the set.
func (p *progress) hasAll(lo, hi uint64) bool {
	if hi <= p.prefix {
		return true
	}
	lo = max(lo, p.prefix+1)
	i := p.find(lo)
	return i < len(p.spans) && p.spans[i].lo <= lo && hi <= p.spans[i].hi
}

// find is the first span that ends at n or above.
func (p *progress) find(n uint64) int {
	i, _ := slices.BinarySearchFunc(p.spans, n, func(s span, n uint64) int {
		if s.hi < n {
			return -1
		}
		return 1
	})
	return i
}

// add puts n into the set and reports whether it is new.
func (p *progress) add(n uint64) bool {
	if n == 0 || p.has(n) {
		return false
	}
	if n == p.prefix+1 {
		p.raise(n)
		return true
	}
	i := p.find(n)
	below := i > 0 && p.spans[i-1].hi == n-1
	above := i < len(p.spans) && p.spans[i].lo == n+1
	switch {
	case below && above:
		p.spans[i-1].hi = p.spans[i].hi
		p.spans = slices.Delete(p.spans, i, i+1)
	case below:
		p.spans[i-1].hi = n
	case above:
		p.spans[i].lo = n
	default:
		p.spans = slices.Insert(p.spans, i, span{n, n})
	}
	return true
}

// raise puts every number up to n into the set and reports whether any is new
// to the prefix.
func (p *progress) raise(n uint64) bool {
	if n <= p.prefix {
		return false
	}
	p.prefix = n
	i := 0
	for i < len(p.spans) && p.spans[i].lo <= p.prefix+1 {
		p.prefix = max(p.prefix, p.spans[i].hi)
		i++
	}
	p.spans = slices.Delete(p.spans, 0, i)
	return true
}

// top is the largest number in the set, 0 if it is empty.
func (p *progress) top() uint64 {
	if len(p.spans) > 0 {
		return p.spans[len(p.spans)-1].hi
	}
	return p.prefix
}

// count is how many numbers are in the set.
func (p *progress) count() uint64 {
	n := p.prefix
	for _, s := range p.spans {
		n += s.hi - s.lo + 1
	}
	return n
}
