package hashing

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

func TestRemovingAMemberMovesItsKeysAndNoOthers(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	keys := randomKeys(r, 500)
	for range 100 {
		ms := randomMembers(r)
		s := New(ms...)
		gone := ms[r.IntN(len(ms))].ID
		for how, smaller := range map[string]*Set{
			"Without": s.Without(gone),
			"New":     New(slices.DeleteFunc(slices.Clone(ms), func(m Member) bool { return m.ID == gone })...),
		} {
			for _, key := range keys {
				before, after := s.Owner(key), smaller.Owner(key)
				if after == gone || before != gone && before != after {
					t.Fatalf("%s, %v without %s: %q moved from %s to %q", how, ms, gone, key, before, after)
				}
			}
		}
	}
}

// A divisor common to the weights must not count: it comes and goes with members.
func TestAMemberThatChangesTheCommonDivisorMovesOnlyItsKeys(t *testing.T) {
	s := New(Member{"a", 10}, Member{"b", 20}, Member{"c", 5})
	smaller := New(Member{"a", 10}, Member{"b", 20})
	for i := range 5000 {
		key := fmt.Sprint(i)
		if before, after := s.Owner(key), smaller.Owner(key); before != "c" && before != after {
			t.Fatalf("%s moved from %s to %s", key, before, after)
		}
	}
}

func TestWithoutSeveralIsTheSetOfTheRest(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	s := New(Member{"a", 1}, Member{"b", 2}, Member{"c", 3}, Member{"d", 1}, Member{"e", 1})
	smaller := s.Without("d", "nobody", "b", "d")
	rest := New(Member{"a", 1}, Member{"c", 3}, Member{"e", 1})
	if !slices.Equal(smaller.Members(), rest.Members()) {
		t.Fatalf("members %v", smaller.Members())
	}
	for _, key := range randomKeys(r, 1000) {
		if smaller.Owner(key) != rest.Owner(key) {
			t.Fatalf("%q: %s, want %s", key, smaller.Owner(key), rest.Owner(key))
		}
	}
	if again := smaller.Without("a", "c"); again.Owner("x") != "e" {
		t.Fatalf("the last of %v owns nothing", again.Members())
	}
	if s.Len() != 5 {
		t.Fatalf("the set itself changed: %v", s.Members())
	}
}

func TestWithoutStrangersIsTheSetItself(t *testing.T) {
	s := New(members("a", "b")...)
	if s.Without() != s || s.Without("c", "") != s {
		t.Fatal("another set")
	}
}

func TestWithoutIsRememberedAndBounded(t *testing.T) {
	s := New(numbered("n%d", 200)...)
	one, two := s.Without("n1"), s.Without("n1", "n2")
	if s.Without("n1") != one || s.Without("n2", "n1") != two {
		t.Fatal("built again")
	}
	for _, m := range s.Members() {
		if got := s.Without(m.ID); got.Has(m.ID) || got.Len() != 199 {
			t.Fatalf("without %s: %d members", m.ID, got.Len())
		}
	}
	if n := len(s.remembered.sets); n > maxSmaller {
		t.Fatalf("%d sets are remembered", n)
	}
}

func TestIDsWithQuotesAreNotConfused(t *testing.T) {
	s := New(members("a", "b", `"a""b"`)...)
	if got := s.Without("a", "b"); got.Len() != 1 {
		t.Fatalf("members %v", got.Members())
	}
	if got := s.Without(`"a""b"`); got.Len() != 2 {
		t.Fatalf("members %v", got.Members())
	}
}

func TestASetIsSafeForConcurrentUse(t *testing.T) {
	s := New(numbered("n%d", 100)...)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 1))
			for range 500 {
				gone := fmt.Sprintf("n%d", 1+r.IntN(100))
				if owner := s.Without(gone).Owner("key"); owner == gone || owner != s.Owner("key") && s.Owner("key") != gone {
					t.Errorf("without %s: %s", gone, owner)
				}
			}
		})
	}
	wg.Wait()
}
