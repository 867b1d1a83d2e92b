package mesh

// fence makes the options of n reads those of a member that hears no quorum, if
// this is one. Such a read gets a load that begins after it, and is kept by nobody.
// What was invalidated before it this member may not know, so it joins no load that
// runs already; reads that wait for a load to begin share it.
func (c *core) fence(o *readOptions, n int) {
	if c.m.host.fenced(c.m.clock.now()) {
		o.fresh, o.bypass = true, true
		c.stats.bypassed.Add(uint64(n))
	}
}
