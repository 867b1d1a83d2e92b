package store

import (
	"fmt"
	"strings"
	"testing"
)

func TestWhatIsDroppedIsGone(t *testing.T) {
	drops := map[string]func(*Store){
		"Drop":                              func(s *Store) { s.Drop("k") },
		"DropTag":                           func(s *Store) { s.DropTag("b") },
		"Clear":                             (*Store).Clear,
		"Clear before it gives memory back": func(s *Store) { s.epochs.clear() },
	}
	for name, drop := range drops {
		t.Run(name, func(t *testing.T) {
			s := open(t, Config{ReplicaBytes: 1 << 20})
			v := forEver("v")
			v.Origin = OriginOf("", 0, []string{"a", "b"})
			other := forEver("other")
			mustKeep(t, s, "k", v)
			mustKeep(t, s, "other", other)
			open := s.Begin("k")
			drop(s)
			if s.Replace("k", v, forEver("w")) {
				t.Error("replaced")
			}
			if s.Get("k", 1) != nil || s.Peek("k") != nil {
				t.Error("still there")
			}
			s.Range(func(key string, _ *Value) bool {
				if key == "k" {
					t.Error("Range shows it")
				}
				return true
			})
			if (s.Get("other", 1) == nil) != strings.HasPrefix(name, "Clear") {
				t.Error("the other key: dropped or kept wrongly")
			}
			if open.Void() != (name != "DropTag") || !open.VoidFor(v.Tags()) {
				t.Errorf("the open fill: Void %v, VoidFor %v", open.Void(), open.VoidFor(v.Tags()))
			}
			again := forEver("again")
			again.Origin = v.Origin
			if open.Keep(again, 1) {
				t.Error("a fill begun before was kept")
			}
			if n := s.Stats().Discarded; n != 1 {
				t.Errorf("%d discarded, want 1", n)
			}
			mustKeep(t, s, "k", again)
			if s.Get("k", 1) != again {
				t.Error("a value begun afterwards is not there")
			}
		})
	}
}

func TestWhoHasFoundAValueBeforeItWasDroppedDoesNotTakeItForLive(t *testing.T) {
	for name, drop := range map[string]func(*Store){
		"Drop":     func(s *Store) { s.Drop("k") },
		"replaced": func(s *Store) { mustKeep(t, s, "k", forEver("w")) },
		"evicted": func(s *Store) {
			for i := range 4096 {
				mustKeep(t, s, fmt.Sprint(i), forEver("w"))
				s.Get(fmt.Sprint(i), 1)
			}
		},
	} {
		s := open(t, Config{OwnedBytes: 256 << 10})
		v := forEver("v")
		mustKeep(t, s, "k", v)
		found := s.stripe(s.hash("k")).values.find(s.hash("k"))
		if found != v || !s.live(found) {
			t.Fatal("it is not live")
		}
		if drop(s); s.live(found) {
			t.Errorf("%s: it is live", name)
		}
	}
}

func TestReplaceChangesWhatIsKeptAndNothingElse(t *testing.T) {
	s := open(t, Config{ReplicaBytes: 1 << 20})
	old := forEver("v")
	old.Origin = OriginOf("", 0, []string{"t"})
	mustKeep(t, s, "k", old)
	replica := forEver("v")
	replica.Replica, replica.Origin = true, old.Origin
	if s.Replace("k", replica, old) || s.Replace("absent", old, replica) {
		t.Error("replaced what is not kept")
	}
	if s.Replace("k", old, forEver("longer")) {
		t.Error("replaced by what costs more")
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

func TestForgottenTagDropsVoidTooMuchRatherThanTooLittle(t *testing.T) {
	s := open(t, Config{})
	tagged := func(tag string) *Value {
		v := forEver(tag)
		v.Origin = OriginOf("", 0, []string{tag})
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

func TestWhatIsClearedIsGivenBackBySweep(t *testing.T) {
	s := open(t, Config{})
	for i := range 1000 {
		mustKeep(t, s, fmt.Sprint(i), forEver("v"))
	}
	s.Clear()
	for i := range 1000 {
		if s.Get(fmt.Sprint(i), 1) != nil {
			t.Fatalf("%d is answered", i)
		}
	}
	mustKeep(t, s, "7", forEver("newer"))
	mustKeep(t, s, "other", forEver("v"))
	s.Sweep()
	if st := s.Stats(); st.Owned.Entries != 2 || s.Get("7", 1) == nil || s.Get("other", 1) == nil {
		t.Errorf("left are %+v, want what was kept afterwards", st.Owned)
	}
}
