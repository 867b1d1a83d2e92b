package simulation

// Plots are faults in an order that chance hardly finds: each is what one rule of
// fence mode is there for. They run one at a time.

// split parts the mesh in two; nil makes it whole.
func (w *world) split(side ...int) {
	w.cut = map[[2]int]bool{}
	in := map[int]bool{}
	for _, i := range side {
		in[i] = true
	}
	for i := range w.slots {
		for j := range w.slots {
			if len(side) > 0 && in[i] != in[j] {
				w.cut[[2]int{i, j}] = true
			}
		}
	}
	w.logf("parts %v and the others", side)
}

// plot runs steps, each so long after the one before, unless another plot runs.
func (w *world) plot(steps ...step) {
	if w.plotting || w.now > runFor-10*second {
		return
	}
	w.plotting = true
	at := int64(0)
	for _, s := range steps {
		at += s.wait
		w.after(at, s.do)
	}
	w.after(at, func() { w.plotting = false })
}

type step struct {
	wait int64
	do   func()
}

func (w *world) reborn(slot int) {
	if p := w.slots[slot]; p.up {
		p.crash()
	}
	w.restart(slot, 5*ms)
}

func (w *world) anyKey() string { return w.keys[w.rand.IntN(len(w.keys))] }

// forgotten: everybody but one applies an invalidation, and starts anew without
// its memory. Then the one, who knows nothing of it, hears them again (F6).
func (w *world) forgotten(one int) {
	others := func(do func(slot int)) {
		for i := range w.slots {
			if i != one {
				do(i)
			}
		}
	}
	caller := (one + 1) % w.N
	w.plot(
		step{0, func() { w.split(one) }},
		step{100 * ms, func() { w.check.call(caller, w.anyKey(), false) }},
		step{2*lease + w.upTo(300*ms), func() { others(w.reborn) }},
		step{w.upTo(200 * ms), func() { w.split() }},
		step{2 * lease, func() {}},
	)
}

// replaced: of five, one of those who confirm an invalidation dies, and its
// successor, who knows nothing of it, is counted by the others. Then one more
// confirms, and loses the others (F7).
func (w *world) replaced(caller int) {
	if w.N < 5 {
		return
	}
	of := func(i int) int { return (caller + i) % w.N }
	w.plot(
		step{0, func() { w.split(caller, of(1)) }},
		step{50 * ms, func() { w.check.call(caller, w.anyKey(), false) }},
		step{50 * ms, func() { w.split(caller); w.reborn(of(1)) }},
		step{2*lease + lease/2 + w.upTo(500*ms), func() { w.split(caller, of(2)) }},
		step{2*lease + lease/4, func() { w.split() }},
		step{2 * lease, func() {}},
	)
}
