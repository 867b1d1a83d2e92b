package store_test

import (
	"fmt"

	"github.com/cachemesh/cachemesh/internal/store"
)

func Example() {
	s, err := store.New(store.Config{OwnedBytes: 1 << 20})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()

	now := int64(1000) // the host's clock
	fill := s.Begin("user:42")
	loaded := &store.Value{Data: []byte("Ada"), Began: now, Expires: now + 50, Until: now + 50}
	fmt.Println("kept:", fill.Keep(loaded, now))
	fmt.Printf("got: %s\n", s.Get("user:42", now).Data)
	fmt.Println("at its end:", s.Get("user:42", now+50))
	// Output:
	// kept: true
	// got: Ada
	// at its end: <nil>
}

func ExampleStore_Drop() {
	s, err := store.New(store.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()

	fill := s.Begin("k") // a load begins,
	s.Drop("k")          // the key is invalidated,
	v := &store.Value{Data: []byte("old"), Until: 10}
	fmt.Println("void:", fill.Void(), "kept:", fill.Keep(v, 1)) // and the load ends
	// Output: void: true kept: false
}
