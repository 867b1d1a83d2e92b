package mesh

import "sync/atomic"

// Stats is what a member has done since it joined. Counters only grow.
type Stats struct {
	Member        string // this member's ID
	Members       int    // that it counts now, itself included
	Fenced        bool   // it hears no quorum now: every read is a load, and nothing is kept
	Displaced     bool   // another live member has its ID: it is a mesh of its own until that one is silent
	Invalidations uint64 // targets of Invalidate, InvalidateTags, Clear and Set here
	Batches       uint64 // messages with questions to other members
	Questions     uint64 // in them, repetitions not counted
	Dropped       uint64 // messages that could not be read, or were too large for this NATS to be sent
	Drops         uint64 // times that everything was dropped, because what had been missed could not be told
	HandedOver    uint64 // values offered to heirs by Leave
	Caches        map[string]CacheStats
}

// CacheStats is what a cache of this member has done since it was opened.
// Counters only grow; Entries, Bytes and LoadsUnderWay are of now.
type CacheStats struct {
	Gets            uint64 // reads of one key by callers here; a key of GetMany is one
	Hits            uint64 // answered from values owned here
	ReplicaHits     uint64 // answered from replicas here
	StaleAnswers    uint64 // past their TTL, if only since they were asked for; not among Hits
	Coalesced       uint64 // reads that joined a flight under way
	Fetches         uint64 // questions to other members for a value
	Redirects       uint64 // answered "not mine"
	Unreached       uint64 // that ended without an answer, or with a member that could not serve
	Hedges          uint64 // second questions, because the first was not acknowledged in time
	LastResort      uint64 // loads because nobody who may own the key could be reached
	Bypassed        uint64 // reads answered by a load that nobody kept, because no quorum was heard
	Loads           uint64 // calls of the loader
	KeysLoaded      uint64 // keys in them: a LoadMany is one call
	Refreshes       uint64 // loads begun behind a read, ahead of the TTL or past it
	NotModified     uint64 // loads that found the held value still right
	OlderVersions   uint64 // loads that brought an older Version than the one held, and Sets of one
	LoadErrors      uint64 // that failed, "not found" included
	LoadsQueued     uint64 // that had to wait for MaxLoads
	Sets            uint64
	Served          uint64 // questions of other members for a value
	TakeOvers       uint64 // questions to a previous owner before a load
	TakenOver       uint64 // that spared the load
	TakeOversServed uint64 // the same questions, asked here
	Replicas        uint64 // kept here for other owners' keys
	Grants          uint64 // values answered to others as hot, to be kept as replicas
	Evictions       uint64 // values displaced by others
	Rejected        uint64 // values that others displaced before anybody had read them again
	Discarded       uint64 // values not kept because an invalidation overtook them

	Entries        int64 // owned values held
	Bytes          int64 // their cost
	ReplicaEntries int64
	ReplicaBytes   int64
	LoadsUnderWay  int64
}

// meshCounters are what Stats reads.
type meshCounters struct {
	invalidations, batches, questions, dropped, drops, handedOver atomic.Uint64
}

// counterStripes is how many copies of the counters of hits there are: callers
// of different keys do not write to one cache line.
const counterStripes = 32

// cacheCounters are what CacheStats reads.
type cacheCounters struct {
	stripes [counterStripes]hitCounters

	coalesced, fetches, redirects, unreached, lastResort          atomic.Uint64
	loads, loadErrors, queued, sets, served, takeOvers, takenOver atomic.Uint64
	staleLate                                                     atomic.Uint64 // stale answers that flights gave
	keysLoaded, refreshes, notModified, olderVersions             atomic.Uint64
	grants, bypassed, hedges                                      atomic.Uint64
	replicas, takeOversServed                                     atomic.Uint64
}

// hitCounters are the counters of the hot path, a cache line each.
type hitCounters struct {
	hits, replicaHits, staleHits, misses atomic.Uint64 // of reads: misses are those that memory did not answer
	_                                    [32]byte
}

// at picks a stripe by the key's last byte and length: cheap, and even enough.
func (c *cacheCounters) at(key string) *hitCounters {
	n := len(key)
	if n == 0 {
		return &c.stripes[0]
	}
	return &c.stripes[(uint(key[n-1])+uint(key[n/2])*7+uint(n))%counterStripes]
}

// Stats is a snapshot, its numbers read one after the other.
func (m *Mesh) Stats() Stats {
	s := Stats{
		Member:        m.cfg.ID,
		Members:       len(m.Members()),
		Fenced:        !m.closed.Load() && m.host.fenced(m.clock.now()),
		Displaced:     !m.closed.Load() && m.displaced(),
		Invalidations: m.stats.invalidations.Load(),
		Batches:       m.stats.batches.Load(),
		Questions:     m.stats.questions.Load(),
		Dropped:       m.stats.dropped.Load(),
		Drops:         m.stats.drops.Load(),
		HandedOver:    m.stats.handedOver.Load(),
		Caches:        map[string]CacheStats{},
	}
	for name, c := range *m.caches.Load() {
		s.Caches[name] = c.snapshot()
	}
	return s
}

func (c *core) snapshot() CacheStats {
	st := c.store.Stats()
	n := &c.stats
	s := CacheStats{
		Coalesced: n.coalesced.Load(), Fetches: n.fetches.Load(), Redirects: n.redirects.Load(),
		Unreached: n.unreached.Load(), LastResort: n.lastResort.Load(),
		Loads: n.loads.Load(), LoadErrors: n.loadErrors.Load(), LoadsQueued: n.queued.Load(),
		Sets: n.sets.Load(), Served: n.served.Load(), TakeOvers: n.takeOvers.Load(), TakenOver: n.takenOver.Load(),
		TakeOversServed: n.takeOversServed.Load(),
		Replicas:        n.replicas.Load(), Evictions: st.Evictions, Rejected: st.Rejected, Discarded: st.Discarded,
		Entries: st.Owned.Entries, Bytes: st.Owned.Bytes,
		ReplicaEntries: st.Replica.Entries, ReplicaBytes: st.Replica.Bytes,
		LoadsUnderWay: int64(c.slots.used()), KeysLoaded: n.keysLoaded.Load(), Refreshes: n.refreshes.Load(),
		NotModified: n.notModified.Load(), OlderVersions: n.olderVersions.Load(), Grants: n.grants.Load(),
		Bypassed: n.bypassed.Load(), Hedges: n.hedges.Load(),
	}
	for i := range n.stripes {
		at := &n.stripes[i]
		hits, replicaHits, staleHits := at.hits.Load(), at.replicaHits.Load(), at.staleHits.Load()
		s.Gets += hits + replicaHits + staleHits + at.misses.Load()
		s.Hits += hits
		s.ReplicaHits += replicaHits
		s.StaleAnswers += staleHits
	}
	s.StaleAnswers += n.staleLate.Load()
	return s
}
