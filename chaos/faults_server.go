package main

import (
	"io"
	"syscall"
	"time"

	"github.com/cachemesh/cachemesh/testenv/promise"
)

const wholeWithin = 2 * time.Second // of a server's return

// serverRestart kills the one NATS server and starts it again when all have lost each other.
func serverRestart(t *trial) error {
	if err := t.serve(1); err != nil {
		return err
	}
	if _, err := t.warm(0, 0, 0, 0, 0); err != nil {
		return err
	}
	return t.down(2*t.lease, 3*time.Second)
}

// down kills the one server for d.
func (t *trial) down(d, after time.Duration) error {
	t.fault = now()
	t.servers[0].kill()
	if err := sleep(t.ctx, d); err != nil {
		return err
	}
	if err := t.startServer(t.servers[0]); err != nil {
		return err
	}
	t.repaired = now()
	agreed, err := t.agree(agreeWithin, t.living()...)
	if err != nil {
		return err
	}
	t.row.agreed(agreed-t.repaired, wholeWithin)
	return t.rest(after)
}

// outage is a long time without NATS, in which values expire.
func outage(t *trial) error {
	long := time.Minute
	t.ttl = 10 * time.Second
	if t.quick {
		long, t.ttl = 8*time.Second, 4*time.Second
	}
	if err := t.serve(1); err != nil {
		return err
	}
	if _, err := t.warm(0, 0, 0, 0, 0); err != nil {
		return err
	}
	if err := t.down(long, 2*time.Second); err != nil {
		return err
	}
	type place struct{ key, member string }
	loads, most := map[place]int{}, 0
	for _, l := range t.origin.history() {
		if l.Began >= t.fault && l.Began <= t.repaired && !isChanging(l.Key) {
			p := place{l.Key, l.Member}
			loads[p]++
			most = max(most, loads[p])
		}
	}
	allowed := int(long/t.ttl) + 1
	t.row.NotCounted = true
	t.row.note("down for %v, TTL %v: loads are due, and not counted as extra", long, t.ttl)
	t.row.check(most <= allowed, "loads a key and member <= expiries + 1", "%d of %d", most, allowed)
	return nil
}

// clusterKill kills one server of three and starts it again.
func clusterKill(t *trial) error {
	if err := t.serve(3); err != nil {
		return err
	}
	members, err := t.warm(0, 0, 0, 0, 0, 0)
	if err != nil {
		return err
	}
	t.fault = now()
	t.servers[0].kill()
	if err := sleep(t.ctx, 2*t.lease); err != nil {
		return err
	}
	if err := t.startServer(t.servers[0]); err != nil {
		return err
	}
	t.repaired = now()
	agreed, err := t.agree(agreeWithin, members...)
	if err != nil {
		return err
	}
	t.row.agreed(agreed-t.repaired, wholeWithin)
	t.row.note("last change of anybody's view %v after the death", round(max(0, agreed-t.fault)))
	if err := t.rest(2 * time.Second); err != nil {
		return err
	}
	t.oneLoadMore()
	return nil
}

// lameDuck sends the clients of one server of three away.
func lameDuck(t *trial) error {
	if err := t.serve(3); err != nil {
		return err
	}
	members, err := t.warm(0, 0, 0, 0, 0, 0)
	if err != nil {
		return err
	}
	t.fault = now()
	if _, err := io.WriteString(t.servers[0].in, tellLameDuck+"\n"); err != nil {
		return err
	}
	if err := until(t.ctx, 20*time.Second, "the server has ended", func() bool { return !t.servers[0].alive() }); err != nil {
		return err
	}
	t.repaired = now()
	agreed, err := t.agree(agreeWithin, members...)
	if err != nil {
		return err
	}
	t.row.agreed(agreed-t.repaired, wholeWithin)
	if err := t.rest(2 * time.Second); err != nil {
		return err
	}
	t.oneLoadMore()
	return nil
}

// slowConsumer gives one member room for 100 messages, and stops it for moments in which the others invalidate a lot.
func slowConsumer(t *trial) error {
	members, err := t.fiveMembers()
	if err != nil {
		return err
	}
	slow := t.victim
	t.victim, t.owned = nil, nil
	if _, err := slow.order(order{Do: doLimit, N: 100}); err != nil {
		return err
	}
	t.fault = now()
	t.stopped, t.still.From = slow, t.fault
	for range 5 {
		for _, m := range members {
			if m != slow {
				if _, err := m.begin(order{Do: doStorm, Keys: stormKeys, N: 64, Timeout: 500 * time.Millisecond}); err != nil {
					return err
				}
			}
		}
		slow.signal(syscall.SIGSTOP)
		if err := sleep(t.ctx, t.lease/3); err != nil {
			return err
		}
		slow.signal(syscall.SIGCONT)
		if err := sleep(t.ctx, 500*time.Millisecond); err != nil {
			return err
		}
	}
	t.repaired = now()
	t.still = promise.Interval{From: t.fault, To: t.repaired}
	agreed, err := t.agree(agreeWithin, t.living()...)
	if err != nil {
		return err
	}
	t.row.agreed(agreed-t.repaired, wholeWithin)
	a, err := slow.order(order{Do: doMeasure})
	if err != nil {
		return err
	}
	t.row.note("the slow member lost %d messages and dropped everything %d times", a.Dropped, a.Drops)
	t.row.check(a.Dropped > 0, "messages are lost, or nothing is shown", "%d", a.Dropped)
	if err := t.rest(2 * time.Second); err != nil {
		return err
	}
	t.row.check(t.row.StaleAnywhere == 0, "0 stale reads afterwards, on any member", "%d", t.row.StaleAnywhere)
	return nil
}

func isChanging(key string) bool { return len(key) > 8 && key[:8] == "changing" }

var stormKeys = keysOf("storm", 1000)
