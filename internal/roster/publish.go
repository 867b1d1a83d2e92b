package roster

import (
	"slices"
	"time"
)

// publish hands out a view where something has changed. That leases have merely
// been renewed is told with the next Tick, not with each heartbeat heard.
func (r *Roster) publish() {
	alone := r.hearsNobody()
	switch {
	case r.large && !r.wasJoined && r.now-r.lookedAt < int64(r.cfg.Heartbeat/4):
		return // nobody reads by it yet, and everybody is about to be counted
	case r.dirty || alone != r.view.Alone:
		number := r.view.Number
		r.view = r.look()
		r.view.Number = number + 1
	case r.ticked && (r.until() != r.view.Until || r.serves != r.view.ServesUntil):
		v := *r.view
		v.Until, v.ServesUntil = r.until(), r.serves
		r.view = &v
	default:
		return
	}
	r.dirty, r.lookedAt = false, r.now
	r.out.View = r.view
}

// look makes the view of this moment.
func (r *Roster) look() *View {
	v := &View{Number: 1, Alone: r.hearsNobody(), Waking: r.waking, Displaced: r.apart, Joined: r.joined && !r.leaving, Until: r.until(), ServesUntil: r.serves}
	self := Member{Instance: r.self, Self: true, Weight: r.cfg.Weight, Reader: r.cfg.Reader, Leaving: r.leaving,
		Joined: r.joined, Version: r.cfg.Version, Since: r.joinedAt}
	if !r.joined {
		self.Since = r.now
	}
	for _, c := range r.ownCaches() {
		self.Caches = append(self.Caches, Cache{Name: c.name, Owned: c.owned, Since: c.since})
	}
	v.Members = append(v.Members, self)
	for _, p := range r.order {
		if !p.counted {
			continue
		}
		m := Member{Instance: p.Instance, Weight: p.weight, Reader: p.reader, Leaving: p.leaving, Joined: p.joined,
			Version: p.version, Since: p.since}
		owns := p.joined && !p.leaving && !p.reader && !p.fenced
		for _, c := range p.caches {
			since := int64(never) // not confirmed there yet: of two that open it at once neither is the elder
			if c.owned {
				since = c.since
			}
			m.Caches = append(m.Caches, Cache{Name: c.name, Owned: owns, Since: since})
		}
		v.Members = append(v.Members, m)
	}
	slices.SortFunc(v.Members, func(a, b Member) int { return compareInstances(a.Instance, b.Instance) })
	return v
}

// until is when the view ends by itself: at the end of a counted member's lease,
// or when this process must have been stopped.
func (r *Roster) until() int64 {
	if r.waking {
		return r.wakeAt + int64(r.cfg.Lease)
	}
	end := int64(never)
	if r.fenceMode() && r.serves > r.now {
		end = r.serves
	}
	for _, p := range r.order {
		if p.counted {
			end = min(end, r.waitEnds(p)+1, r.lastTick+int64(r.cfg.Lease))
		}
	}
	return end
}

func (r *Roster) hearsNobody() bool {
	lease := func(p *peer) time.Duration {
		if r.large { // somebody would be heard
			return min(p.lease, r.cfg.Lease)
		}
		return p.lease
	}
	for _, p := range r.order {
		if r.now-p.lastBeat <= int64(lease(p)) {
			return false
		}
	}
	return true
}
