package store

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"testing"
	"time"
)

// open returns a store that is closed when the test ends.
func open(tb testing.TB, cfg Config) *Store {
	tb.Helper()
	s, err := New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Close)
	return s
}

// forEver is a value that lives for ever.
func forEver(data string) *Value {
	return &Value{Data: []byte(data), Expires: math.MaxInt64, Until: math.MaxInt64}
}

func mustKeep(tb testing.TB, s *Store, key string, v *Value) {
	tb.Helper()
	if !s.Begin(key).Keep(v, 1) {
		tb.Fatalf("%q was not kept", key)
	}
}

// settled waits until ristretto has confirmed all.
func settled(tb testing.TB, s *Store) {
	tb.Helper()
	for end := time.Now().Add(5 * time.Second); s.pending(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatal("entries are still pending after 5 s")
		}
	}
}

func TestABadBudgetIsRefusedByName(t *testing.T) {
	_, err := New(Config{OwnedBytes: -1})
	if !errors.Is(err, ErrBudget) {
		t.Fatalf("got %v, want ErrBudget", err)
	}
}

func TestWhatIsKeptIsReadAtOnce(t *testing.T) {
	s := open(t, Config{OwnedBytes: 1 << 18, ReplicaBytes: 1 << 18})
	for i := range 20_000 { // far more than fits, so all ways in are taken
		v := forEver("v")
		v.Replica = i%2 == 0
		key := fmt.Sprint(i % 7000)
		v.Began = int64(i)
		mustKeep(t, s, key, v)
		if s.Get(key, 1) != v {
			t.Fatalf("keep %d: not read", i)
		}
	}
	if st := s.Stats(); st.Evictions == 0 {
		t.Errorf("the budget was never short: %+v", st)
	}
}

func TestAValueIsGoneFromItsUntilOn(t *testing.T) {
	s := open(t, Config{})
	v := &Value{Data: []byte("v"), Expires: 5, Until: 10}
	mustKeep(t, s, "k", v)
	for range 2 {
		if s.Get("k", 9) != v {
			t.Error("not found before its Until")
		}
		if s.Get("k", 10) != nil {
			t.Error("found at its Until")
		}
		if s.Peek("k") != v {
			t.Error("Peek did not see it past its Until")
		}
		settled(t, s) // and again from ristretto
	}
}

func TestWhatIsDroppedIsGone(t *testing.T) {
	drops := map[string]func(*Store){
		"Drop":    func(s *Store) { s.Drop("k") },
		"DropTag": func(s *Store) { s.DropTag("b") },
		"Clear":   (*Store).Clear,
	}
	for name, drop := range drops {
		for _, settle := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/settled=%v", name, settle), func(t *testing.T) {
				s := open(t, Config{ReplicaBytes: 1 << 20})
				v := forEver("v")
				v.Tags = []string{"a", "b"}
				other := forEver("other")
				mustKeep(t, s, "k", v)
				mustKeep(t, s, "other", other)
				open := s.Begin("k")
				if settle {
					settled(t, s)
				}
				drop(s)
				if s.Get("k", 1) != nil || s.Peek("k") != nil {
					t.Error("still there")
				}
				if s.Replace("k", v, forEver("w")) {
					t.Error("replaced")
				}
				s.Range(func(key string, _ *Value) bool {
					if key == "k" {
						t.Error("Range shows it")
					}
					return true
				})
				if (s.Get("other", 1) == nil) != (name == "Clear") {
					t.Error("the other key: dropped or kept wrongly")
				}
				if open.Void() != (name != "DropTag") || !open.VoidFor(v.Tags) {
					t.Errorf("the open fill: Void %v, VoidFor %v", open.Void(), open.VoidFor(v.Tags))
				}
				again := forEver("again")
				again.Tags = v.Tags
				if open.Keep(again, 1) {
					t.Error("a fill begun before was kept")
				}
				if n := s.Stats().Discarded; n != 1 {
					t.Errorf("%d discarded, want 1", n)
				}
				mustKeep(t, s, "k", again)
				settled(t, s)
				if s.Get("k", 1) != again {
					t.Error("a value begun afterwards is not there")
				}
			})
		}
	}
}

func TestADropVoidsAllFillsOfItsKeyAndNoOthers(t *testing.T) {
	s := open(t, Config{})
	a, b, other := s.Begin("k"), s.Begin("k"), s.Begin("other")
	ended := s.Begin("k")
	ended.End()
	ended.End()
	s.Drop("k")
	after := s.Begin("k")
	if !a.Void() || !b.Void() || other.Void() || after.Void() {
		t.Errorf("void: %v %v, other %v, after %v", a.Void(), b.Void(), other.Void(), after.Void())
	}
	if ended.Keep(forEver("v"), 1) || a.Keep(forEver("v"), 1) || b.Keep(forEver("v"), 1) {
		t.Error("an ended or void fill was kept")
	}
	if !after.Keep(forEver("v"), 1) || after.Keep(forEver("v"), 1) {
		t.Error("want one Keep to succeed and the next to fail")
	}
	other.End()
	for i := range s.stripes {
		if n := len(s.stripes[i].fills); n > 0 {
			t.Errorf("%d fills are left open", n)
		}
	}
}

func TestWhichOfTwoValuesStands(t *testing.T) {
	val := func(began int64, version uint64, replica bool) *Value {
		return &Value{Data: []byte("v"), Began: began, Version: version, Replica: replica, Until: 100}
	}
	tests := []struct {
		name       string
		kept, next *Value
		now        int64
		want       bool
	}{
		{"a later load replaces", val(1, 0, false), val(2, 0, false), 1, true},
		{"an earlier load does not", val(2, 0, false), val(1, 0, false), 1, false},
		{"an earlier load replaces what has expired", val(2, 0, false), val(1, 0, false), 100, true},
		{"the same load replaces", val(1, 0, false), val(1, 0, false), 1, true},
		{"the same load does not make an owned value a replica", val(1, 0, false), val(1, 0, true), 1, false},
		{"the same load makes a replica owned", val(1, 0, true), val(1, 0, false), 1, true},
		{"a later load makes a replica of an owned value", val(1, 0, false), val(2, 0, true), 1, true},
		{"a lower version does not replace", val(1, 9, false), val(2, 8, false), 1, false},
		{"a lower version replaces what has expired", val(1, 9, false), val(2, 8, false), 100, true},
		{"no version replaces any", val(1, 9, false), val(2, 0, false), 1, true},
		{"any version replaces none", val(1, 0, false), val(2, 1, false), 1, true},
	}
	for _, tt := range tests {
		for _, settle := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/settled=%v", tt.name, settle), func(t *testing.T) {
				s := open(t, Config{ReplicaBytes: 1 << 20})
				mustKeep(t, s, "k", tt.kept)
				if settle {
					settled(t, s)
				}
				if got := s.Begin("k").Keep(tt.next, tt.now); got != tt.want {
					t.Errorf("Keep is %v, want %v", got, tt.want)
				}
				want := tt.kept
				if tt.want {
					want = tt.next
				}
				for range 2 {
					if s.Peek("k") != want {
						t.Error("the wrong one stands")
					}
					settled(t, s)
				}
				st := s.Stats()
				if st.Owned.Entries+st.Replica.Entries != 1 {
					t.Errorf("not one entry: %+v", st)
				}
			})
		}
	}
}

func TestReplaceChangesWhatIsKeptAndNothingElse(t *testing.T) {
	s := open(t, Config{ReplicaBytes: 1 << 20})
	old := forEver("v")
	old.Tags = []string{"t"}
	mustKeep(t, s, "k", old)
	replica := forEver("v")
	replica.Replica, replica.Tags = true, old.Tags
	if s.Replace("k", replica, old) || s.Replace("absent", old, replica) {
		t.Error("replaced what is not kept")
	}
	if !s.Replace("k", old, replica) || s.Get("k", 1) != replica {
		t.Error("not replaced")
	}
	if st := s.Stats(); st.Owned.Entries != 0 || st.Owned.Bytes != 0 || st.Replica.Entries != 1 {
		t.Errorf("counted wrongly: %+v", st)
	}
	s.DropTag("t")
	if s.Get("k", 1) != nil {
		t.Error("a drop of its tag does not reach it")
	}
	if st := s.Stats(); st.Replica.Entries != 0 || st.Replica.Bytes != 0 {
		t.Errorf("counted wrongly at the end: %+v", st)
	}
}

func TestValuesThatDoNotFitAreNotKept(t *testing.T) {
	s := open(t, Config{OwnedBytes: 1 << 20})
	fits := &Value{Data: make([]byte, 1<<18), Until: 10}
	mustKeep(t, s, "k", fits)
	if s.Get("k", 1) != fits {
		t.Error("a quarter of the budget is not found")
	}
	if s.Begin("big").Keep(&Value{Data: make([]byte, 1<<18+1), Until: 10}, 1) {
		t.Error("more than a quarter was kept")
	}
	if s.Begin("costly").Keep(&Value{Cost: 1<<18 + 1, Until: 10}, 1) {
		t.Error("a cost of more than a quarter was kept")
	}
	if s.Begin("r").Keep(&Value{Replica: true, Until: 10}, 1) {
		t.Error("a replica was kept without a budget")
	}
}

func TestKeysWhoseHashesCollideAreNotConfused(t *testing.T) {
	s := open(t, Config{OwnedBytes: 1 << 20, ReplicaBytes: 1 << 20})
	s.hashMask = 0
	for i := range 200 {
		key := fmt.Sprint(i % 5)
		f := s.Begin(key)
		s.Drop("absent")
		s.Drop(fmt.Sprint((i + 1) % 5))
		if f.Void() {
			t.Fatal("a drop of another key voids the fill")
		}
		v := forEver(key)
		v.Replica, v.Began = i%2 == 0, int64(i)
		if !f.Keep(v, 1) || s.Get(key, 1) != v {
			t.Fatalf("keep %d is not read", i)
		}
		if i%20 == 0 {
			settled(t, s)
		}
		for j := range 5 {
			if v := s.Get(fmt.Sprint(j), 1); v != nil && string(v.Data) != fmt.Sprint(j) {
				t.Fatalf("key %d gives the value of %s", j, v.Data)
			}
		}
	}
}

func TestRangeShowsWindowPendingAndConfirmed(t *testing.T) {
	s := open(t, Config{OwnedBytes: 1 << 20, ReplicaBytes: 1 << 20})
	keep := func(key string, replica bool) {
		v := forEver(key)
		v.Cost, v.Replica = 8<<10, replica
		mustKeep(t, s, key, v)
	}
	for i := range 50 {
		keep(fmt.Sprint("confirmed", i), i%2 == 0)
	}
	settled(t, s)
	for i := range 200 { // the owned segment overflows into its window
		keep(fmt.Sprint("later", i), false)
	}
	want := map[string]bool{}
	for _, key := range allKeys(s) {
		want[key] = true
	}
	got := map[string]int{}
	s.Range(func(key string, v *Value) bool {
		got[key]++
		if string(v.Data) != key {
			t.Errorf("%s comes with the value of %s", key, v.Data)
		}
		s.Drop(key) // fn may use the store
		return true
	})
	for key, n := range got {
		if n != 1 {
			t.Errorf("%s was shown %d times", key, n)
		}
	}
	for key := range want {
		if got[key] == 0 {
			t.Errorf("%s was not shown", key)
		}
	}
	if len(got) < 100 || s.Stats().Owned.Entries != 0 {
		t.Errorf("%d shown, %+v left", len(got), s.Stats())
	}
	keep("a", false)
	keep("b", false)
	n := 0
	s.Range(func(string, *Value) bool { n++; return false })
	if n != 1 {
		t.Errorf("Range went on after false: %d", n)
	}
}

// allKeys settles s and returns the keys of which Get finds a value.
func allKeys(s *Store) []string {
	var keys []string
	for i := range 50 {
		keys = append(keys, fmt.Sprint("confirmed", i))
	}
	for i := range 200 {
		keys = append(keys, fmt.Sprint("later", i))
	}
	for s.pending() {
		time.Sleep(time.Millisecond)
	}
	var found []string
	for _, key := range keys {
		if s.Get(key, 1) != nil {
			found = append(found, key)
		}
	}
	return found
}

func TestForgottenTagDropsVoidTooMuchRatherThanTooLittle(t *testing.T) {
	s := open(t, Config{})
	tagged := func(tag string) *Value {
		v := forEver(tag)
		v.Tags = []string{tag}
		return v
	}
	mustKeep(t, s, "early", tagged("early"))
	early := s.Begin("early fill")
	s.DropTag("early")
	for i := range 4 * tagShards * tagGeneration {
		s.DropTag(fmt.Sprint(i))
	}
	recent := s.Begin("recent fill")
	mustKeep(t, s, "recent", tagged("recent"))
	for i := range 1000 {
		s.DropTag(fmt.Sprint("more", i))
	}
	if s.Get("early", 1) != nil || !early.VoidFor([]string{"early"}) {
		t.Error("a drop that was forgotten has come undone")
	}
	if s.Get("recent", 1) == nil || recent.VoidFor([]string{"recent"}) {
		t.Error("a few drops of other tags void what is recent")
	}
	kept := 0
	for i := range s.epochs.shards {
		kept += len(s.epochs.shards[i].young) + len(s.epochs.shards[i].old)
	}
	if kept > 2*tagShards*tagGeneration {
		t.Errorf("%d tags are remembered", kept)
	}
}

func TestAValueIsDecodedOnce(t *testing.T) {
	v := forEver("v")
	if _, ok := v.Decoded(); ok {
		t.Error("decoded before anybody did")
	}
	v.SetDecoded(nil)
	if d, ok := v.Decoded(); !ok || d != nil {
		t.Errorf("got %v, %v", d, ok)
	}
}

func TestCloseEndsAllAndMayComeAtAnyTime(t *testing.T) {
	before := runtime.NumGoroutine()
	for round := range 12 {
		s, err := New(Config{OwnedBytes: 64 << 10, ReplicaBytes: 64 << 10})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		started := make(chan struct{}, 8)
		for g := range 8 {
			wg.Go(func() {
				for i := range 1500 {
					if i == 200 {
						started <- struct{}{}
					}
					key := fmt.Sprint(g%2, i%300)
					f := s.Begin(key)
					s.Get(key, 1)
					v := forEver(key)
					v.Replica, v.Tags = g%2 == 0, []string{"t"}
					f.Keep(v, 1)
					switch i % 97 {
					case 0:
						s.Drop(key)
					case 1:
						s.DropTag("t")
					case 2:
						s.Clear()
					case 3:
						s.Range(func(string, *Value) bool { return true })
					case 4:
						s.Replace(key, v, forEver(key))
					}
				}
			})
		}
		for range round % 9 {
			<-started
		}
		for range 2 {
			wg.Go(s.Close)
		}
		wg.Wait()
		if st := s.Stats(); st.Owned != (Usage{}) || st.Replica != (Usage{}) {
			t.Fatalf("a closed store holds %+v", st)
		}
		if s.Begin("k").Keep(forEver("v"), 1) || s.Get("k", 1) != nil || s.Peek("k") != nil {
			t.Fatal("a closed store keeps")
		}
	}
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}
