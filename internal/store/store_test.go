package store

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
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
	if s.Get("k", 9) != v {
		t.Error("not found before its Until")
	}
	if s.Get("k", 10) != nil {
		t.Error("found at its Until")
	}
	if s.Peek("k") != v {
		t.Error("Peek did not see it past its Until")
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
		for j := range 5 {
			if v := s.Get(fmt.Sprint(j), 1); v != nil && string(v.Data) != fmt.Sprint(j) {
				t.Fatalf("key %d gives the value of %s", j, v.Data)
			}
		}
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

func TestAKeptValueIsNotMissedBesideOthersThatAreKept(t *testing.T) {
	s := open(t, Config{OwnedBytes: 8 << 20})
	var current atomic.Int64
	var missed atomic.Int64
	stop := make(chan struct{})
	keys := benchKeys(1024)
	mustKeep(t, s, keys[0], forEver("v"))
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				for range 100 {
					if s.Get(keys[current.Load()], 1) == nil {
						missed.Add(1)
					}
				}
			}
		})
	}
	for i, end := 1, time.Now().Add(400*time.Millisecond); i < len(keys) && time.Now().Before(end); i++ {
		mustKeep(t, s, keys[i], forEver("v"))
		current.Store(int64(i))
	}
	close(stop)
	wg.Wait()
	if n := missed.Load(); n > 0 {
		t.Errorf("%d reads missed", n)
	}
}
