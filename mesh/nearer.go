package mesh

import (
	"github.com/cachemesh/cachemesh/internal/store"
	"github.com/cachemesh/cachemesh/internal/wire"
)

// bringAsked brings near what is held for the next questions of a batch, from the one at
// from on, and returns for how many it has.
func (m *Mesh) bringAsked(ask *wire.Ask, from int) (n int) {
	var near store.Near
	var c *core
	cache := -1 // that c is
	for i := range ask.Questions[from:] {
		q := &ask.Questions[from+i]
		n++
		if q.Kind != wire.AskGet {
			continue
		}
		if q.Cache != cache {
			c, cache = m.cache(ask.Caches[q.Cache]), q.Cache
		}
		if c != nil && !near.Add(c.store, stringOf(q.Key)) {
			break
		}
	}
	near.Bring()
	return n
}

// bring brings near what is held for the next keys, and returns for how many it has.
func (c *core) bring(keys []string) (n int) {
	var near store.Near
	for n < len(keys) && near.Add(c.store, keys[n]) {
		n++
	}
	near.Bring()
	return min(n+1, len(keys))
}
