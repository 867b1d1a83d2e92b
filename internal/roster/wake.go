package roster

// noticeStop starts the round of rule R11 when the last Tick is a lease old: the
// process was stopped, and the others may have gone on without it.
func (r *Roster) noticeStop() {
	if r.cfg.Ablation.NeverWake || r.waking || r.now-r.lastTick < int64(r.cfg.Lease) {
		return
	}
	r.wake()
}

// Wake says that the process was stopped, if the host knows it before a step
// notices. Until Effects.Awake it answers nothing from memory and evicts nobody:
// it hears first, then judges.
func (r *Roster) Wake(now int64) Effects {
	r.begin(now)
	if !r.over && !r.apart && !r.waking {
		r.wake()
	}
	return r.finish()
}

func (r *Roster) wake() {
	r.lastTick = r.now
	r.waking, r.wakeAt, r.wakeSeq = true, r.now, r.seq+1
	r.forceBeat, r.asking, r.dirty = true, true, true
	for _, p := range r.order {
		p.tested = 0
	}
}

// sleepOn starts the round again, for a new incarnation.
func (r *Roster) sleepOn() bool {
	r.wakeSeq = r.seq + 1
	return true
}

// tryWake ends the round when everybody has echoed its heartbeat, and all that
// they have shown is applied here; or when it has timed out.
func (r *Roster) tryWake() {
	if !r.waking || !r.roundOver() && r.now-r.wakeAt < int64(r.cfg.Lease) {
		return
	}
	r.waking, r.dirty = false, true
	r.out.Awake = true
	r.expire()
}

func (r *Roster) roundOver() bool {
	for _, p := range r.order {
		if !p.waits {
			continue
		}
		if p.echoed < r.wakeSeq {
			return false
		}
		for k, n := range p.shown {
			if s := r.sources[k]; s != nil && s.prefix < n {
				return false
			}
		}
	}
	return true
}
