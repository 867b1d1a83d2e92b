package hashing

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cespare/xxhash/v2"
	rendezvous "github.com/dgryski/go-rendezvous"
)

// Other programs find owners with that library: what it names is a part of the protocol.
func TestOwnersAreThoseThatGoRendezvousNames(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	sizes := []int{200, 1000}
	for n := 2; n <= 2*withoutBranch+1; n++ {
		sizes = append(sizes, n)
	}
	for _, n := range sizes {
		names := make([]string, n)
		members := make([]Member, n)
		for i := range names {
			names[i] = fmt.Sprintf("%05d-%x", i, r.Uint32()) // ordered, as a set has them
			members[i] = Member{ID: names[i]}
		}
		set, other := New(members...), rendezvous.New(names, xxhash.Sum64String)
		for range 500 {
			key := fmt.Sprintf("%x", r.Uint64())[:r.IntN(12)]
			if got, want := set.Owner(key), other.Lookup(key); got != want {
				t.Fatalf("%d members, key %q: %s owns it, by go-rendezvous %s", n, key, got, want)
			}
		}
	}
}

func TestOfUnitsWithTheSameHashTheFirstOwns(t *testing.T) {
	u := units{}
	for i := range 2 * withoutBranch {
		u.hashes, u.owners = append(u.hashes, 7), append(u.owners, fmt.Sprint(i))
	}
	if got := u.first("key"); got != "0" {
		t.Errorf("unit %s, want the first", got)
	}
}
