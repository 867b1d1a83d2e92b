package store

// ghostWays is how many ghosts a bucket holds.
const ghostWays = 8

// ghosts remembers the hashes of what has left probation unread, or been dropped: whoever of
// them comes back has been wanted twice. It is bounded, forgets the oldest of a bucket
// first, and keeps 32 bits of each: that it takes one for another does no harm.
type ghosts struct {
	buckets [][ghostWays]uint32 // a power of two of them; a ghost is never 0
}

// size makes room for the ghosts of a segment with n values: half as many, to as many. What
// there was is forgotten when the room grows.
func (g *ghosts) size(n int64) {
	if n <= 2*ghostWays*int64(len(g.buckets)) {
		return
	}
	buckets := 1
	for 2*ghostWays*int64(buckets) < n {
		buckets *= 2
	}
	g.buckets = make([][ghostWays]uint32, buckets)
}

func (g *ghosts) bucket(h uint64) (b *[ghostWays]uint32, ghost uint32) {
	return &g.buckets[h>>32&uint64(len(g.buckets)-1)], uint32(h) | 1
}

// add remembers h.
func (g *ghosts) add(h uint64) {
	if len(g.buckets) == 0 {
		return
	}
	b, ghost := g.bucket(h)
	copy(b[1:], b[:])
	b[0] = ghost
}

// take forgets h, and reports whether it was remembered.
func (g *ghosts) take(h uint64) bool {
	if len(g.buckets) == 0 {
		return false
	}
	b, ghost := g.bucket(h)
	for i := range b {
		if b[i] == ghost {
			copy(b[i:], b[i+1:])
			b[ghostWays-1] = 0
			return true
		}
	}
	return false
}
