package main

import "time"

// spec says what a worker process is. It travels as the worker's last argument.
type spec struct {
	System string // a name in systems
	ID     string // of the member; "" where there is none

	URL   string // of the nats-server to connect to
	Embed bool   // start one in this process instead
	Addr  string // of the owner, for those that have no broker

	Reader       bool          // asks and keeps nothing of its own
	Members      int           // in this process; 0 is 1
	MaxBytes     int64         // memory for values; 0: 256 MiB
	ReplicaBytes int64         // memory for other owners' values; 0: none
	LoadDelay    time.Duration // of the origin
	MemoryLimit  int64         // of the process, for its collector; 0: none
}

// command is one thing that a worker is asked to do.
type command struct {
	Do string // a name in drives

	Callers int           // at once; 0 is 1
	For     time.Duration // how long, where time ends it
	Gets    int           // how many, where their number ends it
	Fill    int           // how many of Gets only fill the cache
	Size    int           // of values, in bytes
	Keys    int           // distinct ones
	Prefix  string        // of the keys, so that rounds differ in them
	Pattern string        // a name in patterns
	Own     bool          // leave out the keys that others own
	Seed    uint64
	At      time.Time // when to begin: the same moment in several processes
	Peers   []string  // addresses of all members, this one's included
	Want    int       // members to wait for
	File    string    // to write a profile to
}

// reply is what a worker has to say.
type reply struct {
	Err  string `json:",omitempty"`
	Addr string `json:",omitempty"` // where others reach it

	Gets    int
	Failed  int    `json:",omitempty"` // not among Gets
	Why     string `json:",omitempty"` // the last of them failed
	Took    time.Duration
	P50     time.Duration
	P99     time.Duration
	Ended   time.Time
	Mallocs float64       // a get
	CPU     time.Duration // user and system, since the process began

	Loads  uint64 // of the origin, since the process began or the fill ended
	Served uint64 // questions of other processes, since the process began

	Messages uint64 // that came in over NATS, since the process began
	Bytes    uint64 // in them

	Heap uint64 // live bytes, after a collection
	RSS  uint64 // resident bytes, the most while it was driven
}
