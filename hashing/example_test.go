package hashing_test

import (
	"fmt"

	"github.com/cachemesh/cachemesh/hashing"
)

func ExampleNew() {
	set := hashing.New(
		hashing.Member{ID: "n1"},
		hashing.Member{ID: "n2"},
		hashing.Member{ID: "n3", Weight: 2}, // twice the keys of the others
	)
	fmt.Println(set.Len(), set.Has("n2"), set.Members())
	// Output: 3 true [{n1 1} {n2 1} {n3 2}]
}

func ExampleSet_Owner() {
	here := hashing.New(hashing.Member{ID: "n1"}, hashing.Member{ID: "n2"})
	there := hashing.New(hashing.Member{ID: "n2"}, hashing.Member{ID: "n1"})
	fmt.Println(here.Owner("user:42") == there.Owner("user:42"))
	// Output: true
}

func ExampleSet_Without() {
	set := hashing.New(hashing.Member{ID: "n1"}, hashing.Member{ID: "n2"}, hashing.Member{ID: "n3"})
	owner := set.Owner("user:42")
	heir := set.Without(owner).Owner("user:42")
	fmt.Println(heir != owner, set.Has(heir))
	// Output: true true
}
