package main

import (
	"fmt"
	"time"
)

// inNetwork puts the fleet into n network namespaces.
func (t *trial) inNetwork(n int) (err error) {
	t.network, err = newNetwork(n)
	return err
}

// apart cuts pairs of places for a while, in which all go on, and heals them.
func (t *trial) apart(d time.Duration, pairs ...[2]int) error {
	t.fault = now()
	for _, p := range pairs {
		if err := t.network.cut(p[0], p[1]); err != nil {
			return err
		}
	}
	if err := sleep(t.ctx, d); err != nil {
		return err
	}
	for _, p := range pairs {
		if err := t.network.heal(p[0], p[1]); err != nil {
			return err
		}
	}
	t.repaired = now()
	return nil
}

// partition cuts one server of three and its two members off from the others.
func partition(t *trial) error {
	if err := t.inNetwork(3); err != nil {
		return err
	}
	if err := t.serve(3); err != nil {
		return err
	}
	members, err := t.warm(0, 0, 1, 1, 2, 2)
	if err != nil {
		return err
	}
	if err := t.apart(6*t.lease, [2]int{0, 1}, [2]int{0, 2}); err != nil {
		return err
	}
	return t.healed(members)
}

// healed waits until those who were apart agree, and judges what happened from then on.
func (t *trial) healed(members []*member) error {
	whole, err := t.agree(40*time.Second, members...)
	if err != nil {
		return err
	}
	t.row.agreed(whole-t.repaired, 0)
	apart := t.repaired
	t.apartEnd = apart
	t.repaired = max(apart, whole) // the promise holds from when they count each other
	if err := t.rest(3 * time.Second); err != nil {
		return err
	}
	t.row.check(t.row.StaleAnywhere == 0, "0 stale reads once whole, on any member", "%d", t.row.StaleAnywhere)
	after := map[string]int{}
	total := 0
	for _, l := range t.origin.history() {
		if l.Began >= apart && !isChanging(l.Key) {
			after[l.Key]++
			total++
		}
	}
	t.row.check(float64(total) <= 0.05*float64(t.row.Resident), "extra loads after healing <= 5% of resident keys",
		"%d of %d", total, t.row.Resident)
	return nil
}

// routeCut is a black hole between two servers of three: their members miss each other, and both reach the third's.
func routeCut(t *trial) error {
	if err := t.inNetwork(3); err != nil {
		return err
	}
	if err := t.serve(3); err != nil {
		return err
	}
	members, err := t.warm(0, 0, 1, 1, 2, 2)
	if err != nil {
		return err
	}
	if err := t.apart(6*t.lease, [2]int{0, 1}); err != nil {
		return err
	}
	return t.healed(members)
}

// blackHole swallows everything between one member and the server.
func blackHole(t *trial) error {
	if err := t.inNetwork(3); err != nil {
		return err
	}
	if err := t.serve(1); err != nil {
		return err
	}
	members, err := t.warm(1, 1, 2, 1, 1)
	if err != nil {
		return err
	}
	if err := t.choose(members[2], members[0]); err != nil {
		return err
	}
	if err := t.apart(3*t.lease, [2]int{0, 2}); err != nil {
		return err
	}
	t.agreed = t.repaired
	if err := t.healed(members); err != nil {
		return err
	}
	t.reroute(500*time.Millisecond, loadTakes)
	return nil
}

// fence is a partition of a mesh in which three of five must hear each other.
func fence(t *trial) error {
	t.quorum = 3
	if err := t.inNetwork(3); err != nil {
		return err
	}
	if err := t.serve(3); err != nil {
		return err
	}
	members, err := t.warm(0, 0, 1, 1, 2)
	if err != nil {
		return err
	}
	if err := t.apart(6*t.lease, [2]int{0, 1}, [2]int{0, 2}); err != nil {
		return err
	}
	whole, err := t.agree(40*time.Second, members...)
	if err != nil {
		return err
	}
	t.row.agreed(whole-t.repaired, 0)
	healed := t.repaired
	t.repaired = t.calmFrom // here the promise binds every member all the time
	if err := t.rest(3 * time.Second); err != nil {
		return err
	}
	t.row.check(t.row.StaleAnywhere == 0, "0 violations on either side", "%d", t.row.StaleAnywhere)
	var slowest, elsewhere time.Duration
	for n, m := range members {
		for _, i := range m.told().invalidations {
			if i.End > 0 && i.Start >= t.fault && i.Start <= healed {
				if n < 2 { // it hears no quorum, and says so at its deadline
					elsewhere = max(elsewhere, i.End-i.Start)
				} else {
					slowest = max(slowest, i.End-i.Start)
				}
			}
		}
	}
	t.row.note("where no quorum is heard, Invalidate waits for one until its deadline, then says who has not confirmed: at most %v", round(elsewhere))
	t.row.check(slowest <= 2*t.lease, fmt.Sprintf("where a quorum is heard, Invalidate returns within two leases (%v)", 2*t.lease), "%v", round(slowest))
	return nil
}
