package main

import (
	"fmt"
	"time"
)

// invalidating is ten members without a fault: how long an invalidation takes, and how many go through one process.
func invalidating(t *trial) error {
	if err := t.serve(1); err != nil {
		return err
	}
	members, err := t.join(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	if err != nil {
		return err
	}
	if err := t.settle(members); err != nil {
		return err
	}
	lasts := 8 * time.Second
	if t.quick {
		lasts = 3 * time.Second
	}
	t.fault = now()
	one, err := members[0].order(order{Do: doStorm, Keys: stormKeys, N: 1, Timeout: lasts, Every: 2 * time.Millisecond})
	if err != nil {
		return err
	}
	p50, p99 := percentile(one.Took, 0.5), percentile(one.Took, 0.99)
	t.row.note("one caller: %d invalidations, p50 %v, p99 %v", len(one.Took), round(p50), round(p99))
	t.row.check(p99 <= 10*time.Millisecond && one.Failed == 0, "Invalidate p99 <= 10ms with 10 members", "%v, %d failed", round(p99), one.Failed)
	const callers = 64
	begin := now()
	many, err := members[0].order(order{Do: doStorm, Keys: stormKeys, N: callers, Timeout: lasts})
	if err != nil {
		return err
	}
	rate := float64(len(many.Took)) / (now() - begin).Seconds()
	t.row.note("%d callers in one process: %.0f a second, p50 %v, p99 %v", callers, rate,
		round(percentile(many.Took, 0.5)), round(percentile(many.Took, 0.99)))
	t.row.check(rate >= 3000 && many.Failed == 0, "3,000 invalidations a second in one process", "%.0f, %d failed", rate, many.Failed)
	return nil
}

// churn is a thousand memberships that come and go: what is left of them, in their process and in another member's.
func churn(t *trial) error {
	n := 1000
	if t.quick {
		n = 200
	}
	if err := t.serve(1); err != nil {
		return err
	}
	members, err := t.join(0, 0, 0)
	if err != nil {
		return err
	}
	if err := t.settle(members); err != nil {
		return err
	}
	if _, err := members[0].order(order{Do: doFill, Keys: allKeys, Timeout: readWithin}); err != nil {
		return err
	}
	t.fault = now()
	// A first round, so that the other member is as warm as this one.
	if _, err := members[0].order(order{Do: doChurn, N: n / 5, Keys: calmKeys}); err != nil {
		return err
	}
	otherBefore, err := members[1].order(order{Do: doMeasure})
	if err != nil {
		return err
	}
	number, err := members[0].begin(order{Do: doChurn, N: n + n/4, Keys: calmKeys})
	if err != nil {
		return err
	}
	a, err := members[0].hear(number, 4*time.Minute)
	if err != nil {
		return err
	}
	otherAfter, err := members[1].order(order{Do: doMeasure})
	if err != nil {
		return err
	}
	t.row.note("%d joins and leaves in %v", n, round(now()-t.fault))
	t.row.check(a.Failed == 0, "all join and leave", "%d failed", a.Failed)
	t.left("their process", n, a.Before, a.Holds)
	t.left("another member", n, otherBefore.Holds, otherAfter.Holds)
	return nil
}

func (t *trial) left(where string, gone int, before, after holding) {
	t.row.check(after.Goroutines <= before.Goroutines && after.Descriptors <= before.Descriptors && after.Subscriptions <= before.Subscriptions,
		"goroutines, descriptors, subscriptions +0 in "+where, "%+d, %+d, %+d", after.Goroutines-before.Goroutines,
		after.Descriptors-before.Descriptors, after.Subscriptions-before.Subscriptions)
	// Of each that has gone its ID and incarnation are remembered for as long as values live (rule R6).
	const remembered = 256
	grown := int64(after.Heap) - int64(before.Heap)
	t.row.check(grown <= max(int64(before.Heap)/20, remembered*int64(gone)), fmt.Sprintf("heap +5%% or %d bytes for each that has gone, at most, in %s", remembered, where),
		"%+d KiB to %d", grown>>10, before.Heap>>10)
}
