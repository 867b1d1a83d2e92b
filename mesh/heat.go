package mesh

import "time"

// The owner of a key alone sees how often all others ask for it. It counts their
// questions, and the reads of their replicas that a question reports, with a count
// that halves every heatHalf. At hotAt the value is worth a replica.

const (
	heatHalf = time.Second
	hotAt    = 4 // reads a second by all others: a copy is given to those who ask
)

// heat counts n reads of v by others and says whether it is hot. The counter is
// one word: the half-life that it was last touched in, and the count.
func heat(v *storeValue, n uint32, now int64) bool {
	period := uint64(now/int64(heatHalf)) & 0xffffffff
	for {
		old := v.Heat.Load()
		count := old & 0xffffffff
		if passed := period - old>>32; passed > 31 { // a clock does not go back
			count = 0
		} else {
			count >>= passed
		}
		count = min(count+uint64(n), 0x7fffffff)
		if v.Heat.CompareAndSwap(old, period<<32|count) {
			return count >= hotAt
		}
	}
}
