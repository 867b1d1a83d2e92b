package mesh

import (
	"time"

	"github.com/cachemesh/cachemesh/hashing"
	"github.com/cachemesh/cachemesh/internal/roster"
)

// view is the roster's view with, for each cache, the sets that rank its
// members. It is immutable: a change of the mesh makes a new one.
type view struct {
	*roster.View
	shares map[string]*share
	incs   map[string]uint64 // of the other members
}

// share is who owns the keys of one cache.
type share struct {
	owners *hashing.Set // who owns keys now
	// Before it came to own a key newly, this member may not have been its
	// owner: heirs are the owners with the leavers, elders the leavers with the
	// owners that are older than this member. Ranking first in them is to
	// have held the key before.
	heirs, elders *hashing.Set
	late          map[string]bool // elders that came hardly earlier than this member
	self          bool            // this member owns a share
	since         int64           // and has since then
	opening       bool            // it has opened the cache, and the opening is not confirmed yet
	leavers       bool
}

var noShare = &share{owners: hashing.New(), heirs: hashing.New(), elders: hashing.New()}

func newView(rv *roster.View) *view {
	v := &view{View: rv, shares: map[string]*share{}, incs: make(map[string]uint64, len(rv.Members))}
	type sets struct {
		owners, leavers, elders []hashing.Member
		late                    map[string]bool
	}
	all := map[string]*sets{}
	mine := map[string]roster.Cache{}
	for _, m := range rv.Members {
		if !m.Self {
			v.incs[m.ID] = m.Inc
			continue
		}
		for _, c := range m.Caches {
			mine[c.Name] = c
		}
	}
	for _, m := range rv.Members {
		if m.Reader {
			continue
		}
		for _, c := range m.Caches {
			s := all[c.Name]
			if s == nil {
				s = &sets{late: map[string]bool{}}
				all[c.Name] = s
			}
			member := hashing.Member{ID: m.ID, Weight: m.Weight}
			switch {
			case m.Leaving:
				if !m.Self {
					s.leavers = append(s.leavers, member)
				}
			case c.Owned:
				s.owners = append(s.owners, member)
				if own, ok := mine[c.Name]; ok && !m.Self && own.Owned && c.Since < own.Since {
					s.elders = append(s.elders, member)
					if own.Since-c.Since < int64(lateElder) {
						s.late[m.ID] = true
					}
				}
			}
		}
	}
	for name, s := range all {
		own, opened := mine[name]
		sh := &share{
			owners:  hashing.New(s.owners...),
			late:    s.late,
			leavers: len(s.leavers) > 0,
			self:    opened && own.Owned,
			since:   own.Since,
			opening: opened && !own.Owned,
		}
		sh.heirs, sh.elders = sh.owners, hashing.New(append(s.elders, s.leavers...)...)
		if sh.leavers {
			sh.heirs = hashing.New(append(s.owners, s.leavers...)...)
		}
		v.shares[name] = sh
	}
	return v
}

func (v *view) share(cache string) *share {
	if s := v.shares[cache]; s != nil {
		return s
	}
	return noShare
}

// previous names who held key before this member came to own it, "" if nobody
// or this member itself did.
func (s *share) previous(self, key string, now int64, young time.Duration) string {
	set := s.elders
	if now-s.since >= int64(young) {
		if !s.leavers {
			return ""
		}
		set = s.heirs
	}
	if id := set.Owner(key); id != self {
		return id
	}
	return ""
}

// lateElder is how much earlier than this member an elder must have come to have
// taken over, in all likelihood, what it owns.
const lateElder = 10 * time.Second

// earlier names who held key before prev came to own it, "" if prev has had the
// time to take it over, or if nobody else did.
func (s *share) earlier(self, key, prev string) string {
	if !s.late[prev] {
		return ""
	}
	if id := s.elders.Without(prev).Owner(key); id != self {
		return id
	}
	return ""
}
