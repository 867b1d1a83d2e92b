package store

import (
	"fmt"
	"testing"
)

func TestRangeShowsWhatIsKeptOnce(t *testing.T) {
	s := open(t, Config{OwnedBytes: 1 << 20, ReplicaBytes: 1 << 20})
	keep := func(key string, replica bool) {
		v := forEver(key)
		v.Cost, v.Replica = 8<<10, replica
		mustKeep(t, s, key, v)
	}
	for i := range 50 {
		keep(fmt.Sprint("first", i), i%2 == 0)
	}
	for i := range 200 { // more than the owned segment has room for
		keep(fmt.Sprint("later", i), false)
	}
	want := map[string]bool{}
	for _, key := range allKeys(t, s) {
		want[key] = true
	}
	got := map[string]int{}
	s.Range(func(key string, v *Value) bool {
		got[key]++
		if string(v.Data) != key {
			t.Errorf("%s comes with the value of %s", key, v.Data)
		}
		s.Drop(key) // fn may use the store
		return true
	})
	for key, n := range got {
		if n != 1 {
			t.Errorf("%s was shown %d times", key, n)
		}
	}
	for key := range want {
		if got[key] == 0 {
			t.Errorf("%s was not shown", key)
		}
	}
	if len(got) < 100 || s.Stats().Owned.Entries != 0 {
		t.Errorf("%d shown, %+v left", len(got), s.Stats())
	}
	keep("a", false)
	keep("b", false)
	n := 0
	s.Range(func(string, *Value) bool { n++; return true })
	if n != 2 {
		t.Errorf("two entries were shown %d times", n)
	}
	n = 0
	s.Range(func(string, *Value) bool { n++; return false })
	if n != 1 {
		t.Errorf("Range went on after false: %d", n)
	}
}

// allKeys returns the keys of which Get finds a value.
func allKeys(tb testing.TB, s *Store) []string {
	tb.Helper()
	var keys []string
	for i := range 50 {
		keys = append(keys, fmt.Sprint("first", i))
	}
	for i := range 200 {
		keys = append(keys, fmt.Sprint("later", i))
	}
	var found []string
	for _, key := range keys {
		if s.Get(key, 1) != nil {
			found = append(found, key)
		}
	}
	return found
}
