package mesh

import (
	"sync"
	"sync/atomic"

	"github.com/cachemesh/cachemesh/internal/wire"
)

// A member that comes to own keys asks who owned them before. Where all of a mesh starts at
// once that is asked for nothing, a round trip for each key that is loaded. So a member notes
// who came while nothing had been read or set here, and says so when such a one asks in vain:
// it has never owned what the other owns, and need not be asked again. When it stands in for
// the other, it takes that back: it offers it what it is about to load.

// blank is what a cache knows of that: of itself, and of who has said so.
type blank struct {
	used atomic.Bool // somebody has read or set here, or was about to

	mu     sync.Mutex           // guards all below
	came   map[string]uint64    // incarnations that came to own keys before that, by ID
	others map[string]blankPair // who has said that to this member, by ID
}

// blankPair is who has said it, and to whom of this member's incarnations.
type blankPair struct{ inc, to uint64 }

func (b *blank) init() {
	b.came, b.others = map[string]uint64{}, map[string]blankPair{}
}

// use notes that somebody is about to look for the owner of a key. It comes before that: who
// does not see it here sees the view in which the other owns the key.
func (b *blank) use() {
	if !b.used.Load() {
		b.used.Store(true)
	}
}

// look notes who owns keys of the cache in a view that has just come to stand.
func (b *blank) look(v *view, cache string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	owning := make(map[string]uint64, len(v.Members))
	for _, m := range v.Members {
		for _, c := range m.Caches {
			if c.Name == cache && c.Owned && !m.Self {
				owning[m.ID] = m.Inc
			}
		}
	}
	for id, inc := range b.came {
		if owning[id] != inc {
			delete(b.came, id)
		}
	}
	for id := range b.others {
		if _, ok := owning[id]; !ok {
			delete(b.others, id)
		}
	}
	if !b.used.Load() {
		b.came = owning
	}
}

// revoke takes back what may have been said to a member, and reports whether it may have been.
func (b *blank) revoke(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, ok := b.came[id]
	delete(b.came, id)
	return ok
}

// before reports whether that incarnation of a member came before anything was held here.
func (b *blank) before(id string, inc uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return inc != 0 && b.came[id] == inc
}

// said notes that the other has said so.
func (b *blank) said(id string, p blankPair) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.others[id] = p
}

// unsaid notes that the other has taken it back.
func (b *blank) unsaid(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.others, id)
}

// has reports whether the other has said so.
func (b *blank) has(id string, p blankPair) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return p.inc != 0 && b.others[id] == p
}

// neverHeld reports whether id, as sh shows it, has said that it never held what this member
// owns. What a leaver owns until it has left is another matter.
func (c *core) neverHeld(sh *share, v *view, id string) bool {
	return !sh.leavers && c.blank.has(id, blankPair{v.incs[id], c.m.host.inc()})
}

// standIn is called when this member is to load key as its owner: where it is not, it stands in.
func (c *core) standIn(key string, sh *share) {
	if owner := sh.owners.Owner(key); owner != c.m.cfg.ID && c.blank.revoke(owner) {
		c.offerTo(owner, key, func(wire.Status) {})
	}
}
