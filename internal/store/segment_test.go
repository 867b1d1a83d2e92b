package store

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// costing is a value that is charged cost in all under a key of one to eight bytes.
func costing(cost int64) *Value {
	return &Value{Cost: cost - overhead - 8, Until: math.MaxInt64}
}

// full is a store that n values of a KiB have filled, each read so often.
func full(t *testing.T, n, reads int) *Store {
	t.Helper()
	s := open(t, Config{OwnedBytes: int64(n) << 10})
	for i := range n {
		key := fmt.Sprint("old", i)
		mustKeep(t, s, key, costing(1<<10))
		for range reads {
			s.Get(key, 1)
		}
	}
	return s
}

func TestAFreshValueSurvivesAsManyOthersAsProbationHolds(t *testing.T) {
	const n = 4096
	s := full(t, n, enough)
	fresh := costing(1 << 10)
	mustKeep(t, s, "fresh", fresh)
	for i := range n / probationShare * 9 / 10 {
		mustKeep(t, s, fmt.Sprint("new", i), costing(1<<10))
	}
	if s.Get("fresh", 1) != fresh {
		t.Error("it is gone although less than probation holds has been kept since")
	}
}

func TestWhatIsReadOnProbationStaysAndTheRestLeaves(t *testing.T) {
	const n = 1024
	s := full(t, n, 1)
	mustKeep(t, s, "wanted", costing(1<<10))
	mustKeep(t, s, "unwanted", costing(1<<10))
	s.Get("wanted", 1)
	for i := range n {
		mustKeep(t, s, fmt.Sprint("new", i), costing(1<<10))
	}
	if s.Get("wanted", 1) == nil || s.Get("unwanted", 1) != nil {
		t.Error("what was read is gone, or what was not is there")
	}
	if st := s.Stats(); st.Rejected < n*8/10 || st.Evictions == 0 {
		t.Errorf("counted wrongly: %+v", st)
	}
}

func TestAScanDisplacesNothingThatIsRead(t *testing.T) {
	const n = 1024
	s := full(t, n, enough)
	for i := range 20 * n {
		mustKeep(t, s, fmt.Sprint("scan", i), costing(1<<10))
	}
	left := 0
	for i := range n {
		if s.Get(fmt.Sprint("old", i), 1) != nil {
			left++
		}
	}
	if left < n*9/10 {
		t.Errorf("%d of %d are left", left, n)
	}
}

func TestWhatComesBackSoonNeedsNoMoreProof(t *testing.T) {
	const n = 1024
	scan := func(s *Store, name string) {
		for i := range n / 4 {
			mustKeep(t, s, fmt.Sprint(name, i), costing(1<<10))
		}
	}
	for name, leave := range map[string]func(s *Store){
		"displaced unread": func(s *Store) { scan(s, "a") },
		"dropped":          func(s *Store) { s.Get("k", 1); scan(s, "a"); s.Drop("k") },
		"renewed":          func(*Store) {},
	} {
		t.Run(name, func(t *testing.T) {
			s := full(t, n, 1)
			mustKeep(t, s, "k", costing(1<<10))
			leave(s)
			if held := s.Peek("k") != nil; held != (name == "renewed") {
				t.Fatalf("held: %v", held)
			}
			mustKeep(t, s, "k", costing(1<<10))
			scan(s, "b") // four times what probation holds
			if s.Peek("k") == nil {
				t.Error("it is displaced unread again")
			}
		})
	}
}

func TestWhatIsReadAllTheTimeOutlastsWhatWasReadOften(t *testing.T) {
	const n = 256
	s := full(t, n, enough)
	hot := costing(1 << 10)
	mustKeep(t, s, "hot", hot)
	for i := range 8 * n {
		key := fmt.Sprint("new", i)
		mustKeep(t, s, key, costing(1<<10))
		for range enough {
			s.Get(key, 1)
		}
		if s.Get("hot", 1) != hot {
			t.Fatalf("it is gone after %d others", i)
		}
	}
	left := 0
	for i := range n {
		if s.Get(fmt.Sprint("old", i), 1) != nil {
			left++
		}
	}
	if left > 0 {
		t.Errorf("%d of %d are left that nobody has read since", left, n)
	}
}

func TestWhatHasExpiredLeavesFirst(t *testing.T) {
	const n = 256
	s := full(t, n, 0)
	for i := range n {
		key := fmt.Sprint("old", i)
		if v := s.Get(key, 1); v != nil && i%2 == 0 {
			next := costing(1 << 10)
			next.Until = 10
			mustKeep(t, s, key, next)
			s.Get(key, 1)
		}
	}
	for i := range n * 3 / 4 {
		if !s.Begin(fmt.Sprint("new", i)).Keep(costing(1<<10), 10) {
			t.Fatal("not kept")
		}
		s.Get(fmt.Sprint("new", i), 10)
	}
	expired, others := 0, 0
	s.Range(func(key string, v *Value) bool {
		if v.Until == 10 {
			expired++
		} else if key[0] == 'o' {
			others++
		}
		return true
	})
	if expired > n/20 || others < n/4 {
		t.Errorf("%d that have expired are left, and %d others", expired, others)
	}
}

func TestTheBudgetIsNeverExceeded(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 5))
	const budget = 256 << 10
	s := open(t, Config{OwnedBytes: budget})
	for i := range 20_000 {
		cost := int64(rnd.IntN(4 << 10))
		if rnd.IntN(50) == 0 {
			cost = budget / 4
		}
		key := fmt.Sprint(rnd.IntN(2000))
		mustKeep(t, s, key, &Value{Cost: cost, Until: math.MaxInt64, Began: int64(i)})
		for range rnd.IntN(3) {
			s.Get(fmt.Sprint(rnd.IntN(2000)), 1)
		}
		if held := s.Stats().Owned.Bytes; held > budget {
			t.Fatalf("%d bytes are held", held)
		}
	}
	if held := s.Stats().Owned.Bytes; held < budget/2 {
		t.Errorf("only %d bytes are held", held)
	}
}

func TestRoomThatIsFreedIsUsedAtOnce(t *testing.T) {
	const n = 512
	s := full(t, n, 0)
	for round := range 4 {
		if round%2 == 0 {
			s.Clear()
			s.Sweep()
		} else {
			for i := range n {
				s.Drop(fmt.Sprint("old", i))
			}
		}
		if st := s.Stats(); st.Owned != (Usage{}) || s.owned.probation.bytes+s.owned.main.bytes != 0 {
			t.Fatalf("round %d: emptied, yet %+v", round, st)
		}
		before := s.Stats()
		for i := range n {
			mustKeep(t, s, fmt.Sprint("old", i), costing(1<<10))
		}
		if st := s.Stats(); st.Owned.Entries != n || st.Evictions+st.Rejected != before.Evictions+before.Rejected {
			t.Errorf("round %d: %+v, want all %d", round, st, n)
		}
	}
}

// The share of hits is a promise of the algorithm: least recently used is what it has to
// beat, and on scans by far.
func TestMemoryRemembersMoreThanLeastRecentlyUsedWould(t *testing.T) {
	const keys, n, gets = 20_000, 2000, 200_000
	zipf := func() func() int {
		z := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.05, 1, keys-1)
		return func() int { return int(z.Uint64()) }
	}
	scans := func() func() int {
		next, at := zipf(), 0
		return func() int {
			if at++; at%3000 < 2000 {
				return next()
			}
			return keys + at
		}
	}
	for _, tt := range []struct {
		name  string
		order func() func() int
		ahead float64 // points
	}{{"zipf", zipf, 3}, {"zipf and scans", scans, 6}} {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t, Config{OwnedBytes: n << 10})
			old := &lru{room: n, newest: map[int]int{}}
			mine, theirs := 0, 0
			next := tt.order()
			for i := range gets {
				k := next()
				hit := old.get(k)
				key := fmt.Sprint(k)
				held := s.Get(key, 1) != nil
				if !held {
					mustKeep(t, s, key, costing(1<<10-8+int64(8-len(key))))
				}
				if i > gets/2 {
					mine += class(held)
					theirs += class(hit)
				}
			}
			a, b := 200*float64(mine)/gets, 200*float64(theirs)/gets
			t.Logf("%.1f %% hits, least recently used %.1f %%", a, b)
			if a < b+tt.ahead {
				t.Errorf("%.1f %% hits, least recently used %.1f %%: want %v points more", a, b, tt.ahead)
			}
		})
	}
}

func TestLargeValuesThatAreAskedForOnceMoveNothingUnread(t *testing.T) {
	hits := func(large int64) float64 {
		s := open(t, Config{OwnedBytes: 8 << 20})
		z := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.1, 1, 50_000)
		const gets = 200_000
		hits := 0
		for i := range gets {
			if large > 0 && i%500 == 0 {
				mustKeep(t, s, fmt.Sprint("large", i), costing(large))
			}
			key := fmt.Sprint(z.Uint64())
			held := s.Get(key, 1) != nil
			if !held {
				mustKeep(t, s, key, costing(1<<10))
			}
			if i > gets/2 {
				hits += class(held)
			}
		}
		return 200 * float64(hits) / gets
	}
	alone, beside := hits(0), hits(512<<10)
	t.Logf("%.1f %% hits, beside large values %.1f %%", alone, beside)
	if beside < alone-5 {
		t.Errorf("%.1f %% hits beside large values, %.1f %% without", beside, alone)
	}
}

// lru remembers the last room keys.
type lru struct {
	room   int
	order  []int // as they were asked for; those that have been asked for since included
	newest map[int]int
	at     int // in order, the oldest that may count
}

func (l *lru) get(k int) bool {
	_, hit := l.newest[k]
	l.order = append(l.order, k)
	l.newest[k] = len(l.order) - 1
	for len(l.newest) > l.room {
		if o := l.order[l.at]; l.newest[o] == l.at {
			delete(l.newest, o)
		}
		l.at++
	}
	return hit
}

// A reader finds a value void by its tag once it is in the index, and it may not be in its queue yet.
func TestAValueThatIsFoundVoidBeforeItIsInAQueueComesToNone(t *testing.T) {
	s := open(t, Config{OwnedBytes: 1 << 20})
	v := costing(1 << 10)
	v.set(dead)
	s.owned.admit(s, s.hash("k"), v, 1<<10, 1)
	if n, b := s.owned.probation.entries+s.owned.main.entries, s.owned.probation.bytes+s.owned.main.bytes; n != 0 || b != 0 {
		t.Errorf("%d values of %d bytes are in the queues, out of reach of all", n, b)
	}
}
