package store

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

const (
	tagShards     = 32
	tagGeneration = 1024 // tags a shard remembers in each of its two generations
)

// epochs numbers the drops that concern more than one key. What began at epoch n
// is void once Clear, or a drop of one of its tags, has a number above n.
//
// The drops of at most 65,536 tags are remembered one by one. When a shard is
// full it forgets the older half, and takes every tag for dropped when the
// youngest of those was: that may cost loads, never correctness.
type epochs struct {
	now     atomic.Uint64 // the latest drop; published after its effect can be seen
	cleared atomic.Uint64 // the latest Clear
	mu      sync.Mutex    // serialises drops, so that now never runs ahead of one
	seed    maphash.Seed
	shards  [tagShards]tagShard
}

// tagShard remembers when the tags that hash to it were dropped.
type tagShard struct {
	mu         sync.RWMutex // guards all below
	young, old map[string]uint64
	oldest     uint64 // the youngest drop that has been forgotten
	turned     uint64 // the latest drop in old
	_          [64]byte
}

// dropTag voids all that began before it and carries tag.
func (p *epochs) dropTag(tag string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.now.Load() + 1
	p.shard(tag).drop(tag, n)
	p.now.Store(n)
}

// clear voids all that began before it.
func (p *epochs) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.now.Load() + 1
	p.cleared.Store(n)
	p.now.Store(n)
}

// void reports whether what began at epoch since and carries tags has been dropped.
func (p *epochs) void(since uint64, tags []string) bool {
	if since < p.cleared.Load() {
		return true
	}
	if since >= p.now.Load() {
		return false
	}
	for _, t := range tags {
		if p.shard(t).dropped(t) > since {
			return true
		}
	}
	return false
}

func (p *epochs) shard(tag string) *tagShard {
	return &p.shards[maphash.String(p.seed, tag)%tagShards]
}

func (t *tagShard) drop(tag string, n uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.young) >= tagGeneration {
		t.oldest, t.turned = t.turned, n-1
		t.old, t.young = t.young, nil
	}
	if t.young == nil {
		t.young = make(map[string]uint64)
	}
	t.young[tag] = n
}

// dropped returns the number of the latest drop that may have been of tag.
func (t *tagShard) dropped(tag string) uint64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	n, ok := t.young[tag]
	if !ok {
		n = t.old[tag]
	}
	return max(n, t.oldest)
}
