package simulation

// clients calls Get, Invalidate or Set somewhere, and comes again.
func (w *world) clients() {
	if w.now > runFor {
		return
	}
	p, key := w.slots[w.rand.IntN(len(w.slots))], w.keys[w.rand.IntN(len(w.keys))]
	if p.up && p.joined && !p.closed {
		switch x := w.rand.Float64(); {
		case x < w.Writes/2:
			w.check.invalidate(p, key, false)
		case x < w.Writes:
			w.check.invalidate(p, key, true)
		case x < w.Writes+0.03:
			w.check.get(p, key, true)
		default:
			w.check.get(p, key, false)
		}
	}
	w.after(w.upTo(20*ms), w.clients)
}

// restart starts a slot again, unless it runs.
func (w *world) restart(slot int, d int64) {
	w.after(d, func() {
		if !w.slots[slot].up {
			w.start(slot)
		}
	})
}

// nemesis injects one fault and comes again.
func (w *world) nemesis() {
	if w.now > runFor {
		return
	}
	d := 200*ms + w.upTo(4*second)
	p := w.slots[w.rand.IntN(w.N)]
	switch w.Kinds[w.rand.IntN(len(w.Kinds))] {
	case 'k': // kill, and restart under the same ID
		if p.up {
			p.crash()
			w.restart(p.slot, w.upTo(d))
		}
	case 'K': // kill, and restart at once
		if p.up {
			p.crash()
			w.restart(p.slot, w.upTo(5*ms))
		}
	case 'l': // leave, and come back
		if p.up && p.joined && !p.leaving && !p.paused && !p.apart {
			p.leave(func() { w.restart(p.slot, w.upTo(d)) })
		}
	case 't': // a second process with somebody's ID, for a while
		if w.Twins > 0 {
			slot := w.N + w.rand.IntN(w.Twins)
			if t := w.slots[slot]; t.up {
				t.crash()
			} else {
				w.start(slot)
			}
		}
	case 's': // stop and continue
		if p.up && !p.paused {
			p.stop()
			w.after(d, p.cont)
		}
	case 'c': // close the cache, and open it again
		if p.up && p.joined && !p.leaving {
			p.do(func() { p.close(); p.after(d/2, p.open) })
		}
	case 'o': // loss
		w.loss = 0.4 * w.rand.Float64()
		w.after(d, func() { w.loss = 0 })
	case 'g': // a reconnect: one member cut off both ways, mostly for less than a lease
		for j := range w.slots {
			w.sever(p.slot, j, d/3)
			w.sever(j, p.slot, d/3)
		}
		w.after(d/3, func() {
			p.do(func() { p.carryOut(p.r.Resync(p.clock())) })
		})
	case 'p': // parts
		side := w.rand.IntN(1 << len(w.slots))
		for i := range w.slots {
			for j := range w.slots {
				if side>>i&1 != side>>j&1 {
					w.sever(i, j, 3*d)
				}
			}
		}
		w.logf("parts %b for %.1fs", side, float64(3*d)/1e9)
	case 'm': // one is cut off, the others restart meanwhile
		w.forgotten(p.slot)
	case 'z': // who has confirmed is replaced behind the caller's back
		w.replaced(p.slot)
	case 'a': // one link, one way or both
		i, j := w.rand.IntN(len(w.slots)), w.rand.IntN(len(w.slots))
		w.sever(i, j, 2*d)
		if w.chance(0.5) {
			w.sever(j, i, 2*d)
		}
		w.logf("link %d-%d cut for %.1fs", i, j, float64(2*d)/1e9)
	}
	w.after(w.upTo(4*second), w.nemesis)
}

func (w *world) sever(i, j int, d int64) {
	if i != j {
		w.cut[[2]int{i, j}] = true
		w.after(d, func() { delete(w.cut, [2]int{i, j}) })
	}
}

// heal makes everything whole again: what is wrong afterwards is wrong for good. Messages
// come in time, too: a few that are late in a row are reason enough to evict their sender.
func (w *world) heal() {
	w.cut, w.loss, w.healed = map[[2]int]bool{}, 0, true
	live := map[string]bool{}
	for _, p := range w.slots {
		p.cont()
		live[p.id] = live[p.id] || p.up
	}
	for slot, p := range w.slots {
		if !live[p.id] {
			live[p.id] = true
			w.start(slot)
		}
	}
}
