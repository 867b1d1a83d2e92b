package mesh_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/mesh"
)

func TestTheYoungerOfTwoMembersOfOneIDIsRefused(t *testing.T) {
	virtual(t, 3, func(t *testing.T, r *rig) {
		keys, _ := r.keys(300, "")
		r.fill(keys, r.all...)
		before := r.origin.Loads()
		rs := r.readersOf(keys, r.all...)
		for range 3 {
			began := time.Now()
			m, err := r.tryJoin(r.within(10*time.Second), "m1")
			if m != nil || !errors.Is(err, mesh.ErrIDTaken) || !strings.Contains(err.Error(), "m1") {
				t.Fatalf("joined as %v: %v", m, err)
			}
			if took := time.Since(began); took > time.Second {
				t.Errorf("it took %v to be refused", took)
			}
			r.agree(0, r.all...) // the elder is not disturbed for a moment
		}
		time.Sleep(2 * rigLease)
		r.agree(0, r.all...)
		rs.end(t, 100*time.Millisecond)
		if n := r.origin.Loads() - before; n != 0 {
			t.Errorf("the elder lost %d values", n)
		}
		if r.log.count("evicted") > 0 {
			t.Error("somebody was evicted")
		}
	})
}

func TestAQuestionThatANamesakeRefusesIsAnsweredByTheElder(t *testing.T) {
	virtual(t, 2, func(t *testing.T, r *rig) {
		_, owned := r.keys(400, "m1")
		r.fill(owned, r.all[1])
		before := r.origin.Loads()
		r.all[1].link.Delay(10*time.Millisecond, 0) // whoever else has its ID answers first
		var asked []<-chan answer[[]byte]           // one a millisecond, while somebody tries to join
		joined := later(func() (*rigMember, error) { return r.tryJoin(r.within(10*time.Second), "m1") })
		for over := false; !over && len(asked) < len(owned); time.Sleep(time.Millisecond) {
			select {
			case a := <-joined:
				over = true
				if !errors.Is(a.err, mesh.ErrIDTaken) {
					t.Errorf("joined: %v", a.err)
				}
			default:
				asked = append(asked, get(r.within(time.Second), r.all[0].cache, owned[len(asked)]))
			}
		}
		for _, ch := range asked {
			if a := <-ch; a.err != nil {
				t.Error(a.err)
			}
		}
		if n := r.origin.Loads() - before; n != 0 {
			t.Errorf("%d values were loaded again", n)
		}
	})
}

func TestOfTwoThatJoinAtOnceWithOneIDOneStays(t *testing.T) {
	for _, others := range []int{0, 2} {
		virtual(t, others, func(t *testing.T, r *rig) {
			var wg sync.WaitGroup
			errs := make([]error, 2)
			members := make([]*rigMember, 2)
			for i := range errs {
				wg.Go(func() { members[i], errs[i] = r.tryJoin(r.within(10*time.Second), "twin") })
			}
			wg.Wait()
			for i := range errs {
				if errs[i] == nil && errors.Is(errs[1-i], mesh.ErrIDTaken) {
					r.agree(5*time.Second, append(r.all, members[i])...)
					return
				}
			}
			t.Errorf("beside %d others: %v; %v", others, errs[0], errs[1])
		})
	}
}

func TestASuccessorOfAKilledMemberJoinsAboutALeaseLater(t *testing.T) {
	for range 4 { // the random part of an incarnation may be above or below the last one's
		virtual(t, 3, func(t *testing.T, r *rig) {
			r.all[1].nc.Close()
			began := time.Now()
			var err error
			var m *rigMember
			for time.Since(began) < rigLease+2*time.Second {
				if m, err = r.tryJoin(r.within(5*time.Second), "m1"); !errors.Is(err, mesh.ErrIDTaken) {
					break
				}
			}
			if err != nil {
				t.Fatalf("%v after the death: %v", time.Since(began), err)
			}
			if took := time.Since(began); took > rigLease+time.Second {
				t.Errorf("it took %v", took)
			}
			r.all[1] = m
			r.agree(time.Second, r.all...)
		})
	}
}

func TestASuccessorOfAMemberThatHasLeftJoinsAtOnce(t *testing.T) {
	virtual(t, 3, func(t *testing.T, r *rig) {
		for range 4 {
			if err := r.all[1].Leave(r.within(5 * time.Second)); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			m, err := r.tryJoin(r.within(5*time.Second), "m1")
			if err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took > rigBeat {
				t.Errorf("it took %v", took)
			}
			r.all[1] = m
			r.agree(time.Second, r.all...)
		}
	})
}
