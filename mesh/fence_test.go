package mesh_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/testenv"
	"github.com/cachemesh/cachemesh/testenv/promise"
)

// quorate runs f in virtual time with n members in fence mode that all answer from memory.
func quorate(t *testing.T, n, quorum int, f func(t *testing.T, r *rig)) {
	t.Helper()
	testenv.Bubble(t, func(t *testing.T) {
		r := newRig(t, testenv.InProcess(t))
		r.config.Quorum = quorum
		r.opts.TTL = time.Hour
		r.grow(n)
		r.serving(r.all...)
		f(t, r)
	})
}

// serving waits until none of the members is fenced.
func (r *rig) serving(members ...*rigMember) {
	r.t.Helper()
	testenv.Eventually(r.t, 20*time.Second, "all hear a quorum", func() bool {
		for _, m := range members {
			if m.Stats().Fenced {
				return false
			}
		}
		return true
	})
	r.agree(20*time.Second, r.all...)
}

// fenced waits until the members are fenced, and says for how long they were not.
func (r *rig) fenced(members ...*rigMember) time.Duration {
	r.t.Helper()
	began := time.Now()
	testenv.Eventually(r.t, 2*rigLease, "fenced", func() bool {
		for _, m := range members {
			if !m.Stats().Fenced {
				return false
			}
		}
		return true
	})
	return time.Since(began)
}

func sourceOf(t *testing.T, m *rigMember, key string) mesh.Source {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	e, err := m.cache.Lookup(ctx, key)
	if err != nil {
		t.Fatalf("%s through %s: %v", key, m.ID(), err)
	}
	return e.Source
}

func TestAMemberThatHearsNoQuorumBypassesItsCache(t *testing.T) {
	quorate(t, 3, 2, func(t *testing.T, r *rig) {
		keys, owned := r.keys(30, "m2")
		r.fill(keys, r.all...)
		m := r.all[2]
		before := r.loadsOf(keys)
		m.link.Swallow()
		if d := r.fenced(m); d > rigLease {
			t.Errorf("it answered from memory for %v, and the lease is %v", d, rigLease)
		}
		for range 2 {
			if s := sourceOf(t, m, owned[0]); s != mesh.Bypass {
				t.Errorf("a read is answered by %v", s)
			}
		}
		if n := r.origin.LoadsOf(owned[0]) - before[owned[0]]; n != 2 {
			t.Errorf("two reads of a fenced member caused %d loads", n)
		}
		if _, err := m.cache.Get(r.within(time.Second), owned[1], mesh.CachedOnly()); !errors.Is(err, mesh.ErrNotCached) {
			t.Errorf("a read of what is cached: %v", err)
		}
		if got, err := m.cache.GetMany(r.within(time.Second), keys[:5]); err != nil || len(got) != 5 {
			t.Errorf("GetMany: %d values, %v", len(got), err)
		}
		if n := m.cache.Stats().Bypassed; n < 8 {
			t.Errorf("Bypassed is %d", n)
		}
		for _, o := range r.all[:2] {
			if o.Stats().Fenced {
				t.Errorf("%s, of the majority, is fenced", o.ID())
			}
		}
		m.link.Heal()
		r.serving(m)
		before = r.loadsOf(keys)
		last := owned[len(owned)-1]
		if s := sourceOf(t, m, last); s != mesh.Local && s != mesh.Owner || r.origin.LoadsOf(last) != before[last] {
			t.Errorf("after healing a read of what it held before is answered by %v", s)
		}
		sourceOf(t, m, owned[0])
		if s := sourceOf(t, m, owned[0]); s != mesh.Local {
			t.Errorf("after healing nothing is kept: the second read is answered by %v", s)
		}
		for word, n := range map[string]int{"fenced:": 1, "answering from memory": 2} {
			if got := strings.Count(linesOf(r.log, "m2"), word); got != n {
				t.Errorf("%d lines of the log say %q, not %d", got, word, n)
			}
		}
	})
}

// linesOf are a member's lines of the log.
func linesOf(b *logBook, id string) (lines string) {
	for l := range strings.Lines(b.String()) {
		if strings.Contains(l, " id="+id+" ") {
			lines += l
		}
	}
	return lines
}

func TestAnInvalidationAcrossAPartitionIsDoneWithinTwoLeases(t *testing.T) {
	quorate(t, 3, 2, func(t *testing.T, r *rig) {
		keys, _ := r.keys(10, "m2")
		r.fill(keys, r.all...)
		r.all[2].link.Swallow()
		began := time.Now()
		if err := r.all[0].cache.Invalidate(r.within(10*rigLease), keys...); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 2*rigLease {
			t.Errorf("it took %v", took)
		}
		for _, key := range keys {
			if s := sourceOf(t, r.all[2], key); s != mesh.Bypass {
				t.Errorf("afterwards the member that is cut off answers %s by %v", key, s)
			}
		}
		began = time.Now()
		if err := r.all[1].cache.Invalidate(r.within(10*rigLease), keys...); err != nil || time.Since(began) > rigBeat {
			t.Errorf("the next took %v: %v", time.Since(began), err)
		}
		r.all[2].link.Heal()
		r.serving(r.all[2])
		r.readAll(keys, r.all...)
	})
}

func TestAnIsolatedMemberInvalidatesAtHomeAlone(t *testing.T) {
	quorate(t, 3, 2, func(t *testing.T, r *rig) {
		m := r.all[2]
		m.link.Swallow()
		r.fenced(m)
		var partial *mesh.PartialError
		if err := m.cache.Invalidate(r.within(2*rigLease), "k"); !errors.As(err, &partial) || len(partial.Members) != 2 {
			t.Errorf("Invalidate: %v", err)
		}
		if err := m.cache.Set(r.within(2*rigLease), "k", loader.Item[[]byte]{Value: []byte("set")}); !errors.As(err, &partial) {
			t.Errorf("Set: %v", err)
		}
		if s := sourceOf(t, m, "k"); s != mesh.Bypass {
			t.Errorf("what a fenced member has Set is answered by %v", s)
		}
	})
}

func TestWhenAllAreApartEveryReadIsALoad(t *testing.T) {
	quorate(t, 3, 2, func(t *testing.T, r *rig) {
		keys, _ := r.keys(20, "m0")
		r.fill(keys, r.all...)
		for _, m := range r.all {
			m.link.Swallow()
		}
		r.fenced(r.all...)
		r.readAll(keys, r.all...)
		for _, m := range r.all {
			if s := sourceOf(t, m, keys[0]); s != mesh.Bypass {
				t.Errorf("%s answers by %v", m.ID(), s)
			}
		}
		for _, m := range r.all {
			m.link.Heal()
		}
		r.serving(r.all...)
		r.readAll(keys, r.all...)
	})
}

func TestReadsOfAFencedMemberShareTheLoadThatIsYetToBegin(t *testing.T) {
	quorate(t, 3, 2, func(t *testing.T, r *rig) {
		m := r.all[2]
		m.link.Swallow()
		r.fenced(m)
		r.origin.Hold()
		var readers sync.WaitGroup
		read := func(n int) {
			for range n {
				readers.Go(func() {
					if _, err := m.cache.Get(r.within(time.Minute), "k"); err != nil {
						t.Error(err)
					}
				})
			}
		}
		read(1)
		testenv.Eventually(t, time.Second, "a load runs", func() bool { return r.origin.Waiting() == 1 })
		read(1)
		testenv.Eventually(t, time.Second, "a later read has a load of its own", func() bool { return r.origin.Waiting() == 2 })
		r.origin.Release()
		readers.Wait()
	})
}

// everybody is a member that counts all members at any time: in fence mode the promise binds all.
type everybody struct {
	*mesh.Mesh
	ids []string
}

func (e *everybody) Members() (all []mesh.Member) {
	for _, id := range e.ids {
		all = append(all, mesh.Member{ID: id})
	}
	return all
}

func TestNoReadIsStaleOnEitherSideOfAPartition(t *testing.T) {
	for seed := range uint64(2) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { partitions(t, rand.New(rand.NewPCG(seed, 5))) })
	}
}

// partitions reads and invalidates on five members while links fail, and has every read judged.
func partitions(t *testing.T, chance *rand.Rand) {
	testenv.Bubble(t, func(t *testing.T) {
		r := newRig(t, testenv.InProcess(t))
		rec := promise.NewRecorder(nil)
		rec.SetLoadTime(time.Millisecond, 30*time.Millisecond)
		r.config.Quorum = 3
		var ids []string
		var members []*everybody
		var caches []*mesh.Cache[[]byte]
		for i := range 5 {
			ids = append(ids, fmt.Sprint("m", i))
		}
		for _, id := range ids {
			nc, l := r.connect()
			cfg := r.config
			cfg.ID = id
			m, err := mesh.Join(r.within(20*time.Second), nc, cfg)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = m.Leave(r.within(time.Second)) })
			c, err := mesh.NewCache(m, "c", rec.Loader(id), mesh.Options{TTL: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			r.all = append(r.all, &rigMember{m, nil, nc, l, r.log})
			members, caches = append(members, &everybody{m, ids}), append(caches, c)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
		defer cancel()
		var all sync.WaitGroup
		for i := range 15 {
			m, c, r := members[i%5], caches[i%5], rand.New(rand.NewPCG(uint64(i), chance.Uint64()))
			all.Go(func() {
				for ctx.Err() == nil {
					key := fmt.Sprint("k", r.IntN(8))
					call, cancel := context.WithTimeout(context.Background(), 4*rigLease)
					if i >= 10 && r.IntN(3) == 0 {
						_ = rec.Invalidate(call, c, m, key)
					} else {
						_, _ = rec.Get(call, c, m, key)
					}
					cancel()
					time.Sleep(time.Duration(r.IntN(int(20 * time.Millisecond))))
				}
			})
		}
		for ctx.Err() == nil {
			var cut []*testenv.Link
			for range 1 + chance.IntN(3) {
				l := r.all[chance.IntN(5)].link
				switch chance.IntN(4) {
				case 0:
					l.Swallow(testenv.ToServer)
				case 1:
					l.Swallow(testenv.ToClient)
				default:
					l.Swallow()
				}
				cut = append(cut, l)
			}
			time.Sleep(time.Duration(chance.IntN(int(6 * time.Second))))
			for _, l := range cut {
				l.Heal()
			}
			time.Sleep(time.Duration(chance.IntN(int(4 * time.Second))))
		}
		all.Wait()
		h := rec.History()
		ok, bypassed := 0, uint64(0)
		for _, i := range h.Invalidations {
			if i.Outcome == promise.OK {
				ok++
			}
		}
		for _, c := range caches {
			bypassed += c.Stats().Bypassed
		}
		t.Logf("%d gets, %d of them bypassed; %d loads; %d of %d invalidations confirmed", len(h.Gets), bypassed, len(h.Loads), ok, len(h.Invalidations))
		if len(h.Gets) < 2000 || ok < 80 || bypassed < 30 || bypassed > uint64(len(h.Gets))*3/4 {
			t.Error("too little happened to judge by")
		}
		for i, v := range promise.Check(h, promise.Genuine, promise.Invalidated, promise.OwnInvalidation) {
			if i < 5 {
				t.Error(v)
			}
		}
	})
}

func TestJoinRefusesAnotherQuorumThanTheMeshHas(t *testing.T) {
	quorate(t, 2, 2, func(t *testing.T, r *rig) {
		for quorum, says := range map[int]string{0: "Quorum is 2 there and 0 here", 3: "Quorum is 2 there and 3 here"} {
			r.config.Quorum = quorum
			if _, err := r.tryJoin(r.within(10*time.Second), fmt.Sprint("odd", quorum)); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("joining with %d: %v", quorum, err)
			}
		}
		r.config.Quorum, r.config.Lease = 2, 4*rigLease
		if _, err := r.tryJoin(r.within(10*time.Second), "patient"); err == nil || !strings.Contains(err.Error(), "Lease is 1.5s there and 6s here") {
			t.Errorf("joining with a longer lease: %v", err)
		}
	})
}

func TestAFencedMemberLeavesInGoodOrder(t *testing.T) {
	quorate(t, 3, 2, func(t *testing.T, r *rig) {
		keys, _ := r.keys(20, "m2")
		r.fill(keys, r.all...)
		m := r.all[2]
		m.link.Swallow()
		r.fenced(m)
		began := time.Now()
		_ = m.Leave(r.within(3 * time.Second))
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestAHitInFenceModeAllocatesNothing(t *testing.T) {
	r := newRig(t, testenv.NATS(t))
	r.config.Quorum, r.config.Heartbeat = 1, 50*time.Millisecond
	m := r.join("m0")
	r.serving(m)
	if _, err := m.cache.Get(r.within(time.Second), "k"); err != nil {
		t.Fatal(err)
	}
	ctx := r.within(time.Minute)
	if n := testing.AllocsPerRun(500, func() { _, _ = m.cache.Get(ctx, "k") }); n >= 1 {
		t.Errorf("a hit allocates %v times", n)
	}
	if s := m.cache.Stats(); s.Hits < 500 || s.Loads != 1 {
		t.Errorf("%d hits, %d loads", s.Hits, s.Loads)
	}
}

func TestAFencedMemberKeepsNoInvalidationThatNobodyWaitsFor(t *testing.T) {
	quorate(t, 3, 2, func(t *testing.T, r *rig) {
		m := r.all[2]
		m.link.Swallow()
		r.fenced(m)
		for range 20 {
			var partial *mesh.PartialError
			if err := m.cache.Invalidate(r.within(10*time.Millisecond), "k"); !errors.As(err, &partial) {
				t.Fatalf("got %v, want a PartialError", err)
			}
		}
		testenv.Eventually(t, 3*rigLease, "nothing is kept", func() bool { return m.Pending(20) == 0 })
	})
}
