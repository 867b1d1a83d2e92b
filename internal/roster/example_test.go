package roster_test

import (
	"fmt"
	"time"

	"github.com/cachemesh/cachemesh/internal/roster"
)

// Two rosters, their messages handed over by hand: they compare, count each
// other, and an invalidation is done once both have applied it.
func Example() {
	now := int64(0)
	a := roster.New(roster.Config{ID: "a", Nonce: 1, Heartbeat: time.Second}, now)
	b := roster.New(roster.Config{ID: "b", Nonce: 2, Heartbeat: time.Second}, now)
	done := false
	var carryOut func(of, other *roster.Roster, e roster.Effects)
	carryOut = func(of, other *roster.Roster, e roster.Effects) {
		for _, t := range e.Apply {
			fmt.Println(of.Self().ID, "drops", t.Key)
		}
		done = done || len(e.Done) > 0
		for _, m := range e.Send {
			carryOut(other, of, other.Receive(now, of.Self().ID, m.Body))
		}
	}
	carryOut(a, b, a.Start(now))
	carryOut(b, a, b.Start(now))
	for range 10 {
		now += int64(500 * time.Millisecond)
		carryOut(a, b, a.Tick(now))
		carryOut(b, a, b.Tick(now))
	}
	fmt.Println("members:", len(a.View().Members))
	_, e := a.Invalidate(now, []roster.Target{{Cache: "users", Kind: roster.ByKey, Key: "42"}})
	carryOut(a, b, e)
	fmt.Println("done:", done)
	// Output:
	// members: 2
	// a drops 42
	// b drops 42
	// done: true
}

// A fetch asks the owner, then the next in rank, then loads for itself.
func ExampleRoute() {
	rank := func(without []string) string {
		for _, id := range []string{"a", "b", "c"} {
			ok := true
			for _, out := range without {
				ok = ok && out != id
			}
			if ok {
				return id
			}
		}
		return ""
	}
	var route roster.Route
	fmt.Println(route.Start("self", rank(nil)).Ask)
	fmt.Println(route.Fail("self", "a", rank).Ask)
	fmt.Println(route.Fail("self", "b", rank).Load, route.RuledOut())
	// Output:
	// a
	// b
	// true [a b]
}
