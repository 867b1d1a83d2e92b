package hashing

import (
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Without returns the set without the members with these IDs; IDs that are not
// in it do not matter. It names the heirs of the members left out. If none of
// them is in the set, it returns the set itself.
//
// A set made by New remembers the sets it was last asked for, so asking again
// is cheap. A set made by Without builds its answer anew each time.
func (s *Set) Without(ids ...string) *Set {
	switch {
	case !slices.ContainsFunc(ids, s.Has):
		return s
	case s.remembered == nil:
		return s.without(ids)
	}
	name := setName(ids)
	if smaller := s.remembered.get(name); smaller != nil {
		return smaller
	}
	return s.remembered.put(name, s.without(ids))
}

func (s *Set) without(ids []string) *Set {
	left := make([]Member, 0, len(s.members))
	for _, m := range s.members {
		if !slices.Contains(ids, m.ID) {
			left = append(left, m)
		}
	}
	return build(left)
}

// setName names a set of IDs, unambiguously for any IDs. The name of a single
// one, which is nearly every call, costs nothing.
func setName(ids []string) string {
	if len(ids) == 1 && !strings.HasPrefix(ids[0], `"`) {
		return ids[0]
	}
	ids = slices.Clone(ids)
	slices.Sort(ids)
	var name []byte
	for _, id := range slices.Compact(ids) {
		name = strconv.AppendQuote(name, id)
	}
	return string(name)
}

// maxSmaller bounds how many smaller sets a set remembers. Few are asked for at
// a time: the heirs of who is suspected or leaves, the owners before a joiner.
const maxSmaller = 64

// smallerSets remembers the sets without some members.
type smallerSets struct {
	mu   sync.RWMutex
	sets map[string]*Set // by setName; guarded by mu
}

func (r *smallerSets) get(name string) *Set {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.sets[name]
}

// put remembers the set under the name, unless another caller was faster, and
// returns the remembered one.
func (r *smallerSets) put(name string, s *Set) *Set {
	r.mu.Lock()
	defer r.mu.Unlock()
	if earlier := r.sets[name]; earlier != nil {
		return earlier
	}
	if r.sets == nil || len(r.sets) >= maxSmaller {
		r.sets = make(map[string]*Set)
	}
	r.sets[name] = s
	return s
}
