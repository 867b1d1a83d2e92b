package simulation

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"testing"
	"time"
)

var soakFlag = flag.Duration("soak", 0, "for how long TestSoak runs every scenario on ever new seeds, beginning at -seed")

// TestSoak looks for a seed that breaks a promise: -soak 1h -v. It ends with the
// first one, with the time, or when it is interrupted.
func TestSoak(t *testing.T) {
	if *soakFlag <= 0 {
		t.Skip("no -soak")
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt)
	defer signal.Stop(stop)
	type job struct {
		sc   Scenario
		seed uint64
	}
	jobs, results := make(chan job), make(chan Result)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for j := range jobs {
				results <- Run(j.seed, j.sc)
			}
		})
	}
	end, tell := time.After(*soakFlag), time.NewTicker(10*time.Second)
	defer tell.Stop()
	began, reads, invalidations, runs := time.Now(), 0, 0, 0
	say := func() {
		took := time.Since(began)
		fmt.Printf("%v: 0 violations in %d reads and %d confirmed invalidations; %d runs, %.0f reads/s\n",
			took.Round(time.Second), reads, invalidations, runs, float64(reads)/took.Seconds())
	}
	scenarios := Scenarios()
	next, open, over := 0, 0, false
	for !over || open > 0 {
		var feed chan job
		j := job{scenarios[next%len(scenarios)], *seedFlag + uint64(next/len(scenarios))}
		if !over {
			feed = jobs
		}
		select {
		case feed <- j:
			next++
			open++
		case r := <-results:
			open--
			runs++
			reads += r.Gets
			invalidations += r.Confirmed
			if len(r.Violations) > 0 {
				t.Errorf("%v after %d reads\nseed %d of %q: %s\n%s", r.Violations, reads, r.Seed, r.Scenario, r.First, r.Replay())
				over = true
			}
		case <-tell.C:
			say()
		case <-stop:
			over = true
		case <-end:
			over = true
		}
	}
	close(jobs)
	workers.Wait()
	if !t.Failed() {
		say()
	}
}
