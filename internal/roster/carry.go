package roster

// Carry is what a question takes along: the invalidations that its sender has
// applied and that the receiver's own heartbeats have not shown. The receiver
// applies them before it answers (rule R3).
type Carry struct {
	Bases   []Applied
	Records []Invalidation
}

// Empty reports whether there is nothing to apply.
func (c *Carry) Empty() bool { return len(c.Bases) == 0 && len(c.Records) == 0 }
