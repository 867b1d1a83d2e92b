package roster

import "time"

// Resync is for after a reconnect or after messages were lost: it sends a
// heartbeat at once and asks everybody for what is missing here (R5).
func (r *Roster) Resync(now int64) Effects {
	r.begin(now)
	if !r.over && !r.apart {
		r.forceBeat, r.asking = true, true
		asked := 0
		for _, p := range r.some() {
			if p.echoed > 0 && !r.cfg.Ablation.RepairNothing && !(r.large && asked == r.cfg.Large.Lists) {
				asked++
				r.send(p.ID, &Want{From: r.self, To: p.Instance, Have: r.vector()})
			}
		}
	}
	return r.finish()
}

// want asks a peer for what it has applied and we have not. One question at a
// time: each member's heartbeats show the same gap.
func (r *Roster) want(p *peer) {
	if r.cfg.Ablation.RepairNothing {
		return
	}
	r.wantDue = r.now + int64(max(r.cfg.Heartbeat/4, 10*time.Millisecond))
	r.send(p.ID, &Want{From: r.self, To: p.Instance, Have: r.vector()})
}

// tail answers Want: what the log holds above what the asker has, whoever issued
// it, and up to where the log no longer holds it.
func (r *Roster) tail(w *Want) {
	for _, s := range r.sourceOrder {
		s.have, s.listed = 0, false
	}
	for _, a := range w.Have {
		if s := r.sources[a.Source]; s != nil {
			s.have, s.listed = a.Upto, true
		}
	}
	skip := func(s *source) bool { return !s.listed && !r.matters(s) }
	t := tailWriter{r: r, to: w.From}
	for _, s := range r.sourceOrder {
		if s.base > s.have && !skip(s) {
			t.base(s)
		}
	}
	r.log.all(func(rec *record) {
		if rec.n <= rec.src.have || rec.n <= rec.src.base && rec.src.base > rec.src.have || skip(rec.src) {
			return
		}
		t.record(rec)
	})
	t.flush()
}

// learn takes a tail. What it brings is as old as its teller's knowledge of it,
// so that members do not keep a gone source alive by teaching it to each other.
func (r *Roster) learn(t *Tail) {
	before := map[Instance]int64{}
	for _, a := range t.Bases {
		if s := r.sources[a.Source]; s != nil {
			before[a.Source] = s.changed
		}
	}
	news := r.raise(t.Bases)
	for _, i := range t.Records {
		if i.Source.Inc != 0 && r.apply(i) {
			news = true
		}
	}
	for _, a := range t.Bases {
		if s := r.sources[a.Source]; s != nil && a.Age >= 0 {
			at := r.now - int64(a.Age)
			if was, known := before[a.Source]; known {
				at = max(at, was)
			}
			s.changed = min(s.changed, at)
		}
	}
	r.wantDue = 0
	if news { // somebody may wait for it to be shown
		r.wantBeat = r.wantBeat || !r.large
		for _, p := range r.order {
			p.answer = p.answer || r.large && (p.Instance == t.From || p.waits && !p.confirms)
		}
	}
}
