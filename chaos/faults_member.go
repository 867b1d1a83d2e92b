package main

import (
	"fmt"
	"syscall"
	"time"

	"github.com/cachemesh/cachemesh/testenv/promise"
)

const reroutedKilled = 300 * time.Millisecond

// fiveMembers is five members on one server, warm, with a victim.
func (t *trial) fiveMembers() ([]*member, error) {
	if err := t.serve(1); err != nil {
		return nil, err
	}
	members, err := t.warm(0, 0, 0, 0, 0)
	if err != nil {
		return nil, err
	}
	return members, t.choose(members[2], members[0])
}

// reroute checks how long the reads took that the victim would have answered.
func (t *trial) reroute(limit, load time.Duration) {
	t.row.check(t.row.ReroutedReads > 0 && t.row.Rerouted <= limit+load, fmt.Sprintf("rerouted p99 <= %v + load", limit),
		"%v of %d, load %v", round(t.row.Rerouted), t.row.ReroutedReads, load)
}

func (t *trial) oneLoadMore() {
	t.row.check(t.row.ExtraMost <= 1, "extra loads <= 1 a key", "%d", t.row.ExtraMost)
}

// killIdle kills an owner while it loads nothing that is counted.
func killIdle(t *trial) error {
	if _, err := t.fiveMembers(); err != nil {
		return err
	}
	t.fault = now()
	t.victim.kill()
	return t.afterKill(loadTakes)
}

// killLoading kills an owner while it loads keys that the others wait for.
func killLoading(t *trial) error {
	if err := t.serve(1); err != nil {
		return err
	}
	members, err := t.warm(0, 0, 0, 0, 0)
	if err != nil {
		return err
	}
	if err := t.choose(members[2], members[0]); err != nil {
		return err
	}
	a, err := members[0].order(order{Do: doOwners, Keys: keysOf("cold", 200)})
	if err != nil {
		return err
	}
	for key, id := range a.Owners {
		if id == t.victim.id {
			t.cold = append(t.cold, key)
			t.owned[key] = true
		}
	}
	const slow = 400 * time.Millisecond
	t.origin.setTakes(slow)
	for _, m := range t.without(t.victim) {
		if _, err := m.begin(order{Do: doFill, Keys: t.cold, Timeout: readWithin}); err != nil {
			return err
		}
	}
	loading := 0
	err = until(t.ctx, 5*time.Second, "the owner loads", func() bool {
		loading = t.origin.underWay(t.victim.id)
		return loading >= len(t.cold)/2
	})
	if err != nil {
		return err
	}
	t.fault = now()
	t.victim.kill()
	t.row.note("killed with %d loads under way", loading)
	return t.afterKill(slow)
}

func (t *trial) afterKill(load time.Duration) error {
	agreed, err := t.agree(agreeWithin, t.living()...)
	if err != nil {
		return err
	}
	t.agreed = agreed
	t.row.agreed(agreed-t.fault, 0)
	if err := t.rest(2 * time.Second); err != nil {
		return err
	}
	t.reroute(reroutedKilled, load)
	t.oneLoadMore()
	return nil
}

// stop stops an owner for longer than a lease and lets it go on.
func stop(t *trial) error {
	if _, err := t.fiveMembers(); err != nil {
		return err
	}
	others := t.without(t.victim)
	t.fault = now()
	t.victim.signal(syscall.SIGSTOP)
	agreed, err := t.agree(agreeWithin, others...)
	if err != nil {
		return err
	}
	t.agreed = agreed
	t.row.note("the others went on without it after %v", round(agreed-t.fault))
	if err := sleep(t.ctx, t.lease); err != nil {
		return err
	}
	t.repaired = now()
	t.stopped, t.still = t.victim, promise.Interval{From: t.fault, To: t.repaired}
	t.victim.signal(syscall.SIGCONT)
	again, err := t.agree(agreeWithin, t.living()...)
	if err != nil {
		return err
	}
	t.row.agreed(again-t.repaired, 0)
	if err := t.rest(2 * time.Second); err != nil {
		return err
	}
	t.reroute(500*time.Millisecond, loadTakes)
	t.row.check(t.row.StaleAnywhere == 0, "0 stale reads after SIGCONT, on any member", "%d", t.row.StaleAnywhere)
	return nil
}

// rolling restarts five members one after the other.
func rolling(t *trial) error {
	members, err := t.fiveMembers()
	if err != nil {
		return err
	}
	t.victim, t.owned = nil, nil // nobody is harmed
	t.fault = now()
	moved := 0
	last, err := t.owners(members[0])
	if err != nil {
		return err
	}
	count := func(witness *member) error {
		owners, err := t.owners(witness)
		for _, key := range calmKeys {
			if owners[key] != last[key] {
				moved++
			}
		}
		last = owners
		return err
	}
	for _, old := range members {
		if _, err := old.order(order{Do: doLeave}); err != nil {
			return err
		}
		if err := until(t.ctx, 10*time.Second, old.id+" has ended", func() bool { return !old.alive() }); err != nil {
			return err
		}
		left := t.living()
		if err := t.settle(left); err != nil {
			return err
		}
		if err := count(left[0]); err != nil {
			return err
		}
		next, err := t.join(0)
		if err != nil {
			return err
		}
		if err := t.work(next...); err != nil {
			return err
		}
		begin := now()
		if err := t.settle(t.living()); err != nil {
			return err
		}
		t.row.agreed(max(t.row.Agree, now()-begin), 0)
		if err := count(left[0]); err != nil {
			return err
		}
	}
	if err := t.rest(2 * time.Second); err != nil {
		return err
	}
	t.row.check(float64(t.row.Extra) <= 1.1*float64(moved), "extra loads <= 1.1 x moved keys", "%d of %d moved", t.row.Extra, moved)
	return nil
}
