// Package roster decides who is in the mesh, who may serve, and what every
// member has applied of everybody's invalidations.
//
// A Roster is a state machine with no I/O: it knows no clock, no goroutine and
// no NATS. Each method takes the time and an event and returns Effects that its
// host carries out, in this order and before the next call: drop and detach
// what Effects.Apply and Effects.Drop name, publish the new View, send the
// messages. A host that keeps this order keeps the promise of Invalidate; the
// same roster therefore runs under a simulator and replays from a seed.
//
// With Config.Quorum above 0 it runs in fence mode: fence.go has the rules, and
// why they are enough.
//
// Among many members heartbeats are rare and small: large.go.
//
// Times are nanoseconds of one monotonic clock of the host's choosing. They
// never cross the wire: messages hold durations alone.
package roster
