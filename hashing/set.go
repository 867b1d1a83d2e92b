package hashing

import (
	"slices"
	"strconv"
	"strings"
)

// Version is the version of the hash. Members announce it; it changes whenever
// any key of any set would change its owner.
const Version uint8 = 1

// MaxWeight is the largest weight that counts. Owner looks at every unit of
// weight in the set, so large weights make it slower.
const MaxWeight = 100

// Member is one owner of keys.
type Member struct {
	// ID names the member. A member without one is left out of a set, because
	// "" is what Owner answers when nobody owns the key.
	ID string

	// Weight is the member's share of the keys relative to the others', from 1
	// to MaxWeight. Less counts as 1, more as MaxWeight.
	Weight int
}

// Set is an immutable set of members. The zero value, like New without members,
// is an empty set.
type Set struct {
	members []Member // ordered by ID, each ID once, weights in range

	// only is the owner of everything in a set of one member.
	only string

	// ranked are the members' units of weight. There are none when the set has
	// fewer than two members.
	ranked units

	// remembered holds sets without some members. It is nil in sets that
	// Without returned, so that remembering cannot pile up.
	remembered *smallerSets
}

// New returns the set of the members, which may come in any order. Of members
// with the same ID the one with the larger weight counts.
func New(members ...Member) *Set {
	s := build(normal(members))
	s.remembered = new(smallerSets)
	return s
}

// Owner returns the ID of the member that owns the key, or "" if the set is
// empty. Any string is a key. Owner does not allocate; it takes time in
// proportion to the sum of the weights.
func (s *Set) Owner(key string) string {
	if len(s.members) < 2 {
		return s.only
	}
	return s.ranked.first(key)
}

// Members returns the members, ordered by ID, with the weights that count. The
// slice is the caller's.
func (s *Set) Members() []Member { return slices.Clone(s.members) }

// Len returns the number of members.
func (s *Set) Len() int { return len(s.members) }

// Has reports whether a member with this ID is in the set.
func (s *Set) Has(id string) bool {
	_, found := slices.BinarySearchFunc(s.members, id, compareID)
	return found
}

func compareID(m Member, id string) int { return strings.Compare(m.ID, id) }

// normal returns the members ordered by ID, each once, with weights in range.
func normal(members []Member) []Member {
	out := make([]Member, 0, len(members))
	for _, m := range members {
		if m.ID == "" {
			continue
		}
		m.Weight = min(max(m.Weight, 1), MaxWeight)
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b Member) int {
		if c := strings.Compare(a.ID, b.ID); c != 0 {
			return c
		}
		return b.Weight - a.Weight // the larger first: it stays
	})
	return slices.CompactFunc(out, func(a, b Member) bool { return a.ID == b.ID })
}

// build makes a set of members in normal form, which it keeps.
//
// Weights are not divided by a common divisor, though that would make Owner
// faster: the divisor changes with the membership, and keys would then move
// between members that stay.
func build(members []Member) *Set {
	s := &Set{members: members}
	switch len(members) {
	case 0:
		return s
	case 1:
		s.only = members[0].ID
		return s
	}
	for _, m := range members {
		s.ranked.add(m.ID, m.ID)
	}
	// The first unit of a member is named by its ID, so that a member of weight 1 has the same
	// keys in a weighted set as beside others of weight 1; the others are "ID#1", "ID#2" and so
	// on. One that is also the ID of a member is that member's: of equals the first ranks higher.
	for _, m := range members {
		for n := 1; n < m.Weight; n++ {
			s.ranked.add(m.ID+"#"+strconv.Itoa(n), m.ID)
		}
	}
	return s
}
