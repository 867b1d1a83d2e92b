package hashing

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

func members(ids ...string) []Member {
	out := make([]Member, len(ids))
	for i, id := range ids {
		out[i].ID = id
	}
	return out
}

func numbered(format string, n int) []Member {
	out := make([]Member, n)
	for i := range out {
		out[i].ID = fmt.Sprintf(format, i+1)
	}
	return out
}

// randomMembers returns 1 to 12 members, some of them weighted.
func randomMembers(r *rand.Rand) []Member {
	out := make([]Member, 1+r.IntN(12))
	for i := range out {
		out[i] = Member{ID: fmt.Sprintf("m%d-%x", i, r.Uint32()), Weight: 1}
		if r.IntN(3) == 0 {
			out[i].Weight = 1 + r.IntN(6)
		}
	}
	return out
}

func randomKeys(r *rand.Rand, n int) []string {
	keys := make([]string, n)
	for i := range keys {
		b := make([]byte, 1+r.IntN(40))
		for j := range b {
			b[j] = byte(r.Uint32())
		}
		keys[i] = string(b)
	}
	return keys
}

func shares(s *Set, keyFormat string, n int) map[string]int {
	count := make(map[string]int)
	for i := range n {
		count[s.Owner(fmt.Sprintf(keyFormat, i))]++
	}
	return count
}

func TestAnEmptySetHasNoOwner(t *testing.T) {
	for name, s := range map[string]*Set{
		"New":                      New(),
		"zero":                     new(Set),
		"all left out":             New(members("a", "b")...).Without("a", "b"),
		"members without an ID":    New(Member{Weight: 3}, Member{}),
		"zero, without a stranger": new(Set).Without("a"),
	} {
		if got := s.Owner("key"); got != "" || s.Len() != 0 || s.Has("") || len(s.Members()) != 0 {
			t.Errorf("%s: Owner %q, Len %d, Members %v", name, got, s.Len(), s.Members())
		}
	}
}

func TestTheOnlyMemberOwnsEverything(t *testing.T) {
	s := New(Member{ID: "a", Weight: 7})
	for _, key := range []string{"", "x", "\x00\xff", "a"} {
		if got := s.Owner(key); got != "a" {
			t.Errorf("Owner(%q) = %q", key, got)
		}
	}
}

func TestOwnersDoNotDependOnTheOrderOfMembers(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		ms := randomMembers(r)
		a := New(ms...)
		r.Shuffle(len(ms), func(i, j int) { ms[i], ms[j] = ms[j], ms[i] })
		b := New(ms...)
		for _, key := range randomKeys(r, 200) {
			if a.Owner(key) != b.Owner(key) {
				t.Fatalf("%v: %q is owned by %s or by %s", ms, key, a.Owner(key), b.Owner(key))
			}
		}
	}
}

func TestTheLargerWeightOfADuplicateCounts(t *testing.T) {
	s := New(Member{"b", 1}, Member{"a", 2}, Member{"a", 5}, Member{"a", 3}, Member{"b", -4})
	want := []Member{{"a", 5}, {"b", 1}}
	if got := s.Members(); !slices.Equal(got, want) {
		t.Fatalf("members %v, want %v", got, want)
	}
}

func TestWeightsOutOfRangeCountAsTheNearest(t *testing.T) {
	s := New(Member{"a", -1}, Member{"b", 0}, Member{"c", 100000})
	want := []Member{{"a", 1}, {"b", 1}, {"c", MaxWeight}}
	if got := s.Members(); !slices.Equal(got, want) {
		t.Fatalf("members %v, want %v", got, want)
	}
}

func TestMembersIsACopy(t *testing.T) {
	s := New(members("a", "b")...)
	s.Members()[0].ID = "z"
	if !s.Has("a") || s.Has("z") || s.Members()[0].ID != "a" {
		t.Fatalf("changed to %v", s.Members())
	}
}

func TestHasKnowsTheMembersOnly(t *testing.T) {
	s := New(Member{"a", 3}, Member{ID: "c"})
	for id, want := range map[string]bool{"a": true, "c": true, "b": false, "": false, "a#1": false, "d": false} {
		if s.Has(id) != want {
			t.Errorf("Has(%q) = %v", id, !want)
		}
	}
}

// A fair share is what each of n equal members should own.
func TestNobodyOwnsMuchMoreThanAFairShare(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	sets := map[string][]Member{}
	for _, format := range []string{"n%d", "node-%d", "%d", "cache-7d4f9c-%d", "10-0-0-%d", "worker_%03d"} {
		sets[format] = numbered(format, 6)
	}
	for i := range 8 {
		ms := make([]Member, 6)
		for j := range ms {
			const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			id := make([]byte, 22)
			for k := range id {
				id[k] = digits[r.IntN(len(digits))]
			}
			ms[j].ID = string(id)
		}
		sets[fmt.Sprintf("random %d", i)] = ms
	}
	const keys = 30000
	for name, ms := range sets {
		s := New(ms...)
		for _, keyFormat := range []string{"%d", "user:%d:profile", "/a/b/%08d.txt"} {
			for id, n := range shares(s, keyFormat, keys) {
				if share := float64(n) * 6 / keys; share > 1.06 {
					t.Errorf("%s, keys %s: %s owns %.3f of a fair share", name, keyFormat, id, share)
				}
			}
		}
	}
}

func TestSharesFollowWeights(t *testing.T) {
	for _, ms := range [][]Member{
		{{"a", 1}, {"b", 2}, {"c", 3}},
		{{"n1", 1}, {"n2", 1}, {"n3", 4}},
		{{"small", 10}, {"large", 90}},
		{{"a", 100}, {"b", 100}, {"c", 50}},
	} {
		total := 0
		for _, m := range ms {
			total += m.Weight
		}
		const keys = 30000
		got := shares(New(ms...), "key-%d", keys)
		for _, m := range ms {
			want := float64(keys) * float64(m.Weight) / float64(total)
			if ratio := float64(got[m.ID]) / want; ratio < 0.9 || ratio > 1.1 {
				t.Errorf("%v: %s owns %.2f of its share", ms, m.ID, ratio)
			}
		}
	}
}

func TestIDsThatLookLikeUnitsAreMembersOfTheirOwn(t *testing.T) {
	s := New(Member{"a", 3}, Member{"a#1", 1}, Member{"b", 1})
	got := shares(s, "%d", 3000)
	if got["a"] == 0 || got["a#1"] == 0 || got["b"] == 0 || len(got) != 3 {
		t.Fatalf("shares %v", got)
	}
}

func TestOwnerDoesNotAllocate(t *testing.T) {
	for name, s := range map[string]*Set{
		"one":      New(members("a")...),
		"equal":    New(numbered("n%d", 6)...),
		"weighted": New(Member{"a", 3}, Member{"b", 2}),
	} {
		if n := testing.AllocsPerRun(100, func() { s.Owner("some key") }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkOwner(b *testing.B) {
	for _, n := range []int{1, 3, 64, 1024} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := New(numbered("n%d", n)...)
			b.ReportAllocs()
			for b.Loop() {
				s.Owner("user:1234567")
			}
		})
	}
	b.Run("3weighted", func(b *testing.B) {
		s := New(Member{"a", 1}, Member{"b", 2}, Member{"c", 3})
		b.ReportAllocs()
		for b.Loop() {
			s.Owner("user:1234567")
		}
	})
}

// BenchmarkNew is what a change of membership costs before the first lookup.
func BenchmarkNew(b *testing.B) {
	for _, n := range []int{3, 64, 1024} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			members := numbered("n%d", n)
			b.ReportAllocs()
			for b.Loop() {
				New(members...)
			}
		})
	}
}
