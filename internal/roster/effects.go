package roster

// Effects is what the host has to do after a step, in the order of the fields.
type Effects struct {
	// Drop: forget every value and detach every flight of every cache.
	// It comes before Apply.
	Drop bool
	// Apply: drop the value and detach the flights of each target.
	Apply []Target
	// View, if not nil, replaces the view that reads are routed by.
	View *View
	// Send: messages, to be handed to the transport in this order.
	Send []Message
	// Done: operations of Invalidate that everyone waited for has confirmed.
	Done []uint64
	// Parted: operations that some had yet to confirm when this member was displaced, which
	// parts it from them. They are issued anew, and Done, when it has joined again.
	Parted []Parted
	// Joined: Join may return. Once in a roster's life.
	Joined bool
	// Refused, if not empty, says why this member cannot be in the mesh: a live
	// member uses its ID. Before Joined, Join fails with it; after, the roster
	// has turned into a mesh of its own, until that member is silent: see View.Displaced.
	Refused string
	// Differs, if not empty, says what of this joiner's Config differs from that of
	// a live member, where it must not: Join fails with it.
	Differs string
	// Awake: the round after a stop is over (see Roster.Wake).
	Awake bool
	// Log: lines for a human, each with its level.
	Log []Line
}

// Parted is an operation for which nobody is to wait any longer.
type Parted struct {
	ID      uint64
	Missing []string // the IDs of those who are known not to have confirmed it
}

// Line is one remark for the log.
type Line struct {
	Warn bool
	Text string
	Peer string // the member that it is about, if any
}
