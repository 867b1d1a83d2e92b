package mesh

import (
	"math/rand/v2"
	"testing"
)

func TestPlacesAreGivenInTurnUntilSomebodyHasWaitedForLong(t *testing.T) {
	s := slots{free: 1, all: 1}
	if s.take(0) != nil {
		t.Fatal("no place is free")
	}
	var turns []*turn
	for i := range int64(5) {
		turns = append(turns, s.take(i))
	}
	came := func(want int) {
		t.Helper()
		for i, x := range turns {
			select {
			case <-x.came:
				if i != want {
					t.Errorf("%d has come, want %d", i, want)
				}
				turns[i] = &turn{}
				return
			default:
			}
		}
		t.Errorf("nobody has come, want %d", want)
	}
	s.give(10)
	came(0)
	s.give(slotPatience + 1)
	came(1)
	s.leave(turns[4])
	s.give(slotPatience + 3)
	came(3)
	s.give(slotPatience + 3)
	came(2)
	if s.give(slotPatience + 4); s.used() != 0 || len(s.waiting) != 0 {
		t.Errorf("%d are used, %d wait", s.used(), len(s.waiting))
	}
}

func TestNoPlaceIsLostWhoeverLeaves(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	s := slots{free: 3, all: 3}
	running, now := 0, int64(0)
	waiting := map[*turn]bool{}
	for range 100_000 {
		now += rnd.Int64N(slotPatience / 10)
		switch rnd.IntN(3) {
		case 0:
			if x := s.take(now); x == nil {
				running++
			} else {
				waiting[x] = true
			}
		case 1:
			if running > 0 {
				running--
				s.give(now)
			}
		default:
			for x := range waiting {
				if !s.leave(x) {
					t.Fatal("it has come, and was not told")
				}
				delete(waiting, x)
				break
			}
		}
		for x := range waiting {
			if x.given {
				running++
				delete(waiting, x)
			}
		}
		if s.used() != running || running < 3 && len(waiting) > 0 || len(s.waiting)-s.gone != len(waiting) || len(s.waiting) > 2*len(waiting) {
			t.Fatalf("%d used, %d run, %d wait, %d of %d in the queue have left", s.used(), running, len(waiting), s.gone, len(s.waiting))
		}
	}
}
