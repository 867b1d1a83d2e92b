package roster

import (
	"slices"
	"strings"
	"time"
)

// ownCache is a cache that this member has opened.
type ownCache struct {
	name      string
	life      time.Duration // <0: for ever
	announced uint64        // the first heartbeat that told of it; 0: none yet
	owned     bool
	since     int64
}

// Open announces a cache, at once. life is the longest that a value may live,
// stale windows included; negative: for ever. The cache is owned here once
// everybody who is waited for has echoed the announcement.
func (r *Roster) Open(now int64, cache string, life time.Duration) Effects {
	r.begin(now)
	if life > maxLife {
		life = -1
	}
	r.caches[cache] = &ownCache{name: cache, life: life}
	r.measureLife()
	r.dirty, r.forceBeat, r.asking = true, !r.over && !r.apart, true
	if r.apart && !r.fenced() {
		r.caches[cache].own(r)
	}
	return r.finish()
}

// Close gives up this member's share of a cache, at once.
func (r *Roster) Close(now int64, cache string) Effects {
	r.begin(now)
	if r.caches[cache] != nil {
		delete(r.caches, cache)
		r.dirty, r.forceBeat = true, true
	}
	return r.finish()
}

// ownCaches are the caches opened here, by name.
func (r *Roster) ownCaches() []*ownCache {
	out := make([]*ownCache, 0, len(r.caches))
	for _, c := range r.caches {
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b *ownCache) int { return strings.Compare(a.name, b.name) })
	return out
}

// ownLife is the longest life that a value may have here.
func (r *Roster) ownLife() (life time.Duration, forever bool) {
	for _, c := range r.caches {
		life = max(life, c.life)
		forever = forever || c.life < 0
	}
	return life, forever
}

// announce is what a heartbeat says of the caches opened here.
func (r *Roster) announce() []CacheState {
	out := make([]CacheState, 0, len(r.caches))
	for _, c := range r.ownCaches() {
		if c.announced == 0 {
			c.announced = r.seq
		}
		s := CacheState{Name: c.name, Owned: c.owned}
		if c.owned {
			s.For = time.Duration(r.now - c.since)
		}
		out = append(out, s)
	}
	return out
}

func (c *ownCache) own(r *Roster) {
	if !c.owned && !r.cfg.Reader {
		c.owned, c.since = true, r.now
		r.dirty, r.wantBeat = true, true
	}
}

// tryOwn makes this member an owner of the caches whose opening has been
// confirmed, or ends that it is one.
func (r *Roster) tryOwn() {
	owning := r.joined && !r.leaving && !r.fenced()
	for _, c := range r.caches {
		switch {
		case !owning:
			r.dirty = r.dirty || c.owned
			c.owned = false
		case !c.owned && r.confirmed(c):
			c.own(r)
		}
	}
}

// confirmed reports whether everybody has heard of a cache's opening.
func (r *Roster) confirmed(c *ownCache) bool {
	for _, p := range r.order {
		if p.waits && (c.announced == 0 || p.echoed < c.announced) {
			return false
		}
	}
	return true
}

// Lengthen notes that values of a cache may live longer than was announced. A
// shorter life changes nothing: what was kept under the longer one may still be there.
func (r *Roster) Lengthen(now int64, cache string, life time.Duration) Effects {
	r.begin(now)
	if c := r.caches[cache]; c != nil && c.life >= 0 && (life < 0 || life > c.life) {
		if life > maxLife {
			life = -1
		}
		c.life = life
		r.measureLife()
		r.wantBeat = true
	}
	return r.finish()
}
