// Package simulation runs the real membership and invalidation logic of a mesh,
// internal/roster, as a discrete-event simulation: some processes with a small
// model of the store and the flights of mesh, a network that loses, repeats,
// delays and parts, processes that are killed, stopped, restarted, that join and
// leave. A run is determined by its seed. A checker judges each value that is
// read by what the promise of Invalidate obliges that very read to.
package simulation

import (
	"fmt"
	"time"

	"github.com/cachemesh/cachemesh/internal/roster"
)

const (
	ms        = int64(time.Millisecond)
	second    = int64(time.Second)
	heartbeat = 300 * ms
	lease     = 1500 * ms
	ttl       = 8 * second
	replica   = 2 * second  // longest life of a replica
	window    = 4 * second  // how long a hint stands, and a member is young
	rto       = 250 * ms    // an unanswered question is asked again
	askLimit  = 10 * second // one question, repeats included
	runFor    = 45 * second // faults and clients
	settle    = 25 * second // then whole links: nothing hangs, all count all
	maxDelay  = 3 * second  // of a message
	cacheName = "c"         // the one cache
)

// Scenario is what a run is made of, beside its seed.
type Scenario struct {
	Name    string
	N       int // processes
	Twins   int // more processes, each with the ID of one of the others
	Keys    int
	Faults  bool    // late and doubled messages
	Kinds   string  // of faults, each as likely as it is often named: see nemesis
	Writes  float64 // share of Invalidate and Set among the calls
	LogSize int     // of the rosters
	Message int     // bytes of records in one message of theirs; 0: as many as in a mesh
	Readers int     // of the processes, the last ones: they own nothing
	Quorum  int     // of the rosters: above 0 fence mode, where the promise binds every member
	Large   bool    // to the rosters three members are many
	Drift   float64 // by how much the rate of a process's clock may be off

	Ablation roster.Ablation // rules that the rosters leave out

	JoinDetached bool // leaves out R1: a later Get joins a flight that an invalidation has detached
	PushSets     bool // leaves out R8: a Set sends its value to the owner, which keeps it
	KeepSetsLate bool // leaves out R8: a Set keeps its value at home when it is done
	JoinBypass   bool // leaves out F4: a Get of a fenced member joins a load that runs already
	KeepDetached bool // leaves out R1: a detached flight keeps its value
}

// Result is what a run has come to.
type Result struct {
	Seed       uint64
	Scenario   string
	Gets       int
	Confirmed  int // Invalidate and Set that returned nil
	Partial    int // that returned who is missing
	Loads      int
	Extra      int   // loads of what a live member held or was loading
	Bypassed   int   // Gets answered by a load of their own, for want of a quorum
	Slowest    int64 // the longest that an Invalidate or Set took that returned nil, in nanoseconds
	LastResort int   // loads for oneself, as no owner was to be had
	Joins      int
	Refused    int            // processes refused for their ID
	Returned   int            // processes displaced for their ID that joined again
	Drops      int            // times that a member dropped everything
	Stale      int            // reads across parts, which the promise allows
	Violations map[string]int // by kind; empty when all promises were kept
	First      string         // the first violation
	Trace      []string       // what happened, if asked for
}

// Replay is how to see the run again.
func (r *Result) Replay() string {
	return fmt.Sprintf("go test ./testenv/simulation -run TestReplay -seed %d -scenario %q -v", r.Seed, r.Scenario)
}

// Run runs a scenario from a seed.
func Run(seed uint64, sc Scenario) Result { return run(seed, sc, false) }

// Trace is Run, and keeps a line for each event in Result.Trace.
func Trace(seed uint64, sc Scenario) Result { return run(seed, sc, true) }
