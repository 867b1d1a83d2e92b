package roster

import (
	"cmp"
	"slices"
	"time"
)

// mostAsked is how many members are asked at once for what may be missing here: one may be gone.
const mostAsked = 2

// Resync is for after a reconnect or after messages were lost: it sends a
// heartbeat at once and asks some members for what is missing here (R5). What others know
// beside that their heartbeats show.
func (r *Roster) Resync(now int64) Effects {
	r.begin(now)
	if !r.over && !r.apart {
		r.forceBeat, r.asking = true, true
		asked := 0
		for _, waited := range []bool{true, false} { // who has been evicted may be the only one, and be back
			for _, p := range r.some() {
				if p.echoed > 0 && p.waits == waited && asked < mostAsked {
					asked++
					r.want(p)
				}
			}
		}
	}
	return r.finish()
}

// want asks a peer for what it has applied and we have not. One question at a time: each
// member's heartbeats show the same gap.
func (r *Roster) want(p *peer) {
	if r.cfg.Ablation.RepairNothing {
		return
	}
	r.wantDue = r.now + int64(max(r.cfg.Heartbeat/4, 10*time.Millisecond))
	r.send(p.ID, &Want{From: r.self, To: p.Instance, Have: r.vector()})
}

// tail answers Want: what the log holds above what the asker has, whoever issued
// it, and up to where the log no longer holds it. It is as much as goes in one message of
// moderate size: who has learnt that asks for the rest.
func (r *Roster) tail(w *Want) {
	for _, s := range r.sourceOrder {
		s.have, s.listed, s.last = 0, false, 0
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
	var lacking []*record
	ordered := true
	r.log.all(func(rec *record) {
		if rec.n <= rec.src.have || rec.n <= rec.src.base && rec.src.base > rec.src.have || skip(rec.src) {
			return
		}
		ordered = ordered && rec.n > rec.src.last
		rec.src.last = rec.n
		lacking = append(lacking, rec)
	})
	if !ordered { // the asker has moved on by what it gets only if that is the first that it lacks
		slices.SortStableFunc(lacking, func(a, b *record) int { return cmp.Compare(a.n, b.n) })
	}
	for _, rec := range lacking {
		if !t.record(rec) {
			break
		}
	}
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
	if news { // somebody may wait for it to be shown
		r.wantDue = 0
		if p := r.remote(t.From); p != nil && !r.caughtUp(p) {
			r.want(p)
		}
		r.wantBeat = r.wantBeat || !r.large
		for _, p := range r.order {
			p.answer = p.answer || r.large && (p.Instance == t.From || p.waits && !p.confirms)
		}
	}
}
