package main

import (
	"fmt"
	"time"

	"github.com/cachemesh/cachemesh/testenv/promise"
)

// What every scenario does unless it says otherwise.
const (
	loadTakes       = 20 * time.Millisecond
	readEvery       = 4 * time.Millisecond // on each member
	readWithin      = 5 * time.Second
	invalidateEvery = 100 * time.Millisecond // on each member
	invalidWithin   = 10 * time.Second
	warmTime        = 1500 * time.Millisecond
	agreeWithin     = 20 * time.Second
)

// Keys that are never invalidated, on which loads are counted, and keys that are invalidated all the time, on which
// stale reads would be seen.
var (
	calmKeys     = keysOf("calm", 300)
	changingKeys = keysOf("changing", 60)
	allKeys      = append(append([]string(nil), calmKeys...), changingKeys...)
)

func keysOf(kind string, n int) (keys []string) {
	for i := range n {
		keys = append(keys, fmt.Sprint(kind, "-", i))
	}
	return keys
}

// trial is one scenario while it runs: a fleet, and what must be known to judge it.
type trial struct {
	*fleet
	row *row

	calmFrom, fault, repaired time.Duration   // since when it was steady; when the fault began and ended
	apartEnd                  time.Duration   // when members that were apart could reach each other, where that is before repaired
	agreed                    time.Duration   // when those who are left agreed without the victim
	victim                    *member         // nil: no member is harmed
	owned                     map[string]bool // by the victim, before
	cold                      []string        // keys that nobody had read before the fault
	still                     promise.Interval
	stopped                   *member // stands still in the interval still
}

// warm lets members join, load everything once, and read and invalidate for a while.
func (t *trial) warm(at ...int) ([]*member, error) {
	members, err := t.join(at...)
	if err != nil {
		return nil, err
	}
	if err := t.settle(members); err != nil {
		return nil, err
	}
	if _, err := members[0].order(order{Do: doFill, Keys: allKeys, Timeout: readWithin}); err != nil {
		return nil, err
	}
	t.calmFrom = now()
	if err := t.work(members...); err != nil {
		return nil, err
	}
	return members, sleep(t.ctx, warmTime)
}

// work makes members read and invalidate.
func (t *trial) work(members ...*member) error {
	if err := orderAll(members, order{Do: doRead, Keys: allKeys, Every: readEvery, Timeout: readWithin}); err != nil {
		return err
	}
	return orderAll(members, order{Do: doInvalidate, Keys: changingKeys, Every: invalidateEvery, Timeout: invalidWithin})
}

// settle waits until the members agree on each other and on all owners, and each owns something.
func (t *trial) settle(members []*member) error {
	if _, err := t.agree(agreeWithin, members...); err != nil {
		return err
	}
	var failed error
	err := until(t.ctx, agreeWithin, "all agree on the owners", func() bool {
		var first map[string]string
		for _, m := range members {
			var owners map[string]string
			if owners, failed = t.owners(m); failed != nil {
				return true
			}
			if first == nil {
				first = owners
			}
			for key, id := range owners {
				if first[key] != id {
					return false
				}
			}
		}
		distinct := map[string]bool{}
		for _, id := range first {
			distinct[id] = true
		}
		return len(distinct) == len(members)
	})
	if failed != nil {
		return failed
	}
	return err
}

func (t *trial) owners(m *member) (map[string]string, error) {
	a, err := m.order(order{Do: doOwners, Keys: allKeys})
	return a.Owners, err
}

// choose makes the victim of a member, and notes what it owns.
func (t *trial) choose(victim, witness *member) error {
	owners, err := t.owners(witness)
	t.victim, t.owned = victim, map[string]bool{}
	for key, id := range owners {
		if id == victim.id {
			t.owned[key] = true
		}
	}
	return err
}

// rest lets the members read on, ends their calls and judges all of it.
func (t *trial) rest(d time.Duration) error {
	if err := sleep(t.ctx, d); err != nil {
		return err
	}
	for _, m := range t.living() {
		if _, err := m.begin(order{Do: doInvalidate}); err != nil {
			return err
		}
	}
	for _, m := range t.living() {
		if _, err := m.order(order{Do: doRead}); err != nil {
			return err
		}
	}
	t.judge()
	return nil
}

// without are the living members other than one.
func (t *trial) without(m *member) (list []*member) {
	for _, l := range t.living() {
		if l != m {
			list = append(list, l)
		}
	}
	return list
}
