package hashing

import (
	"math/bits"

	"github.com/cespare/xxhash/v2"
)

// units are the units of weight of a set. Which of them ranks first for a key is as
// github.com/dgryski/go-rendezvous has it with xxhash, which the tests hold against this:
// the one whose hash, mixed with the key's, is the highest, and of equals the first.
type units struct {
	hashes []uint64
	owners []string // whose each unit is
}

// add adds a unit of that name.
func (u *units) add(name, owner string) {
	u.hashes = append(u.hashes, xxhash.Sum64String(name))
	u.owners = append(u.owners, owner)
}

// withoutBranch is how many units are compared without a branch. Among the first it is a
// matter of chance whether the next ranks higher, and a processor that guesses wrong loses
// more time than a comparison takes; of those that follow few do.
const withoutBranch = 32

// first gives the owner of the unit that ranks first for the key. There is a unit.
func (u *units) first(key string) string {
	of := xxhash.Sum64String(key)
	some := min(len(u.hashes), withoutBranch)
	highest, at := uint64(0), 0
	for i, unit := range u.hashes[:some] {
		mixed := mix(of ^ unit)
		_, higher := bits.Sub64(highest, mixed, 0)
		at ^= (at ^ i) & -int(higher)
		highest = max(highest, mixed)
	}
	for i, unit := range u.hashes[some:] {
		if mixed := mix(of ^ unit); mixed > highest {
			highest, at = mixed, some+i
		}
	}
	return u.owners[at]
}

// mix is the generator xorshift64* (Vigna, "An experimental exploration of Marsaglia's
// xorshift generators, scrambled", 2016), one step of it.
func mix(x uint64) uint64 {
	x ^= x >> 12
	x ^= x << 25
	x ^= x >> 27
	return x * 0x2545f4914f6cdd1d
}
