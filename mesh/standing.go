package mesh

import "time"

// A member that another live one of its ID has displaced, which a merge of two parted meshes
// can bring about, is a mesh of its own until that one is silent for a lease. It answers no
// clients, to whom it would speak for the mesh.

// stands takes note of a view that says whether this member is displaced. It is called
// under the host's lock and does not block.
func (m *Mesh) stands(v *view, now int64) {
	if v.Displaced == m.displaced() {
		return
	}
	if v.Displaced {
		m.isolation.displaced.Store(now)
	} else {
		m.isolation.displaced.Store(0)
	}
	select {
	case m.standing <- struct{}{}:
	default:
	}
}

func (m *Mesh) displaced() bool { return m.isolation.displaced.Load() != 0 }

// watchStanding tells the log when this member is displaced, and when it is back, and
// stops and starts answering clients.
func (m *Mesh) watchStanding() {
	for {
		select {
		case <-m.done:
			return
		case <-m.standing:
		}
		if m.displaced() {
			m.log.Error("cachemesh: displaced: this member goes on alone for as long as another live member has its ID")
		} else {
			m.log.Warn("cachemesh: no longer displaced: the other member of this ID is silent, and this one joins the mesh again")
		}
		for _, c := range *m.caches.Load() {
			m.retend(c)
		}
	}
}

// retend tends one of the caches that are open. Over a connection that is stuck each takes a while: who
// opens or closes another has its turn in between.
func (m *Mesh) retend(c *core) {
	m.openMu.Lock()
	defer m.openMu.Unlock()
	if m.cache(c.name) != c { // closed meanwhile
		return
	}
	if err := m.tend(c); err != nil {
		m.log.Error("cachemesh: clients are not answered", "cache", c.name, "error", err)
	}
}

// tend opens a cache to clients if this member may answer them, or closes it. openMu is held:
// a connection that is stuck does so later.
func (m *Mesh) tend(c *core) error {
	may := !m.cfg.Private && !m.cfg.Reader && !m.displaced() && !m.ending.Load()
	if may == c.answering {
		return nil
	}
	c.answering = may
	if !may {
		within(announceBound, func() { m.closeGateway(c) })
		return nil
	}
	opened := make(chan error, 1)
	go func() { opened <- m.openGateway(c) }()
	bound := time.NewTimer(announceBound)
	defer bound.Stop()
	select {
	case err := <-opened:
		c.answering = err == nil
		return err
	case <-bound.C:
		m.log.Warn("cachemesh: the NATS connection is stuck: clients are answered later", "cache", c.name)
		go m.openedLate(c, opened)
		return nil
	}
}

// openedLate looks whether clients are still to be answered when NATS could be told so.
func (m *Mesh) openedLate(c *core, opened <-chan error) {
	err := <-opened
	m.openMu.Lock()
	defer m.openMu.Unlock()
	switch wanted := c.answering && m.cache(c.name) == c; {
	case err != nil && wanted:
		c.answering = false
		m.log.Error("cachemesh: clients are not answered", "cache", c.name, "error", err)
	case err == nil && !wanted:
		m.closeGateway(c)
	}
}
