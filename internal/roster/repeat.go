package roster

import "time"

// How much of what a peer has not confirmed is told again at a time. It is little at first,
// for it may be on its way, over a link that takes seconds for it. It doubles with each
// message of which something is confirmed, and is halved, and the next is sent later, where
// nothing is. While what was told first is still coming in, much is not told again.
const (
	repeatFirst = 64 << 10
	repeatLeast = 8 << 10
	maxRests    = 2 // doublings of the time to the next
)

// repeats is what a peer is told again.
type repeats struct {
	due     int64  // when
	window  int    // bytes at a time
	fruit   uint64 // how much was confirmed at the latest
	moved   int64  // when something was last confirmed, or first told
	lull    int64  // the longest time between two such moments
	rests   uint   // messages in a row of which nothing was confirmed
	sent    int    // bytes of the latest
	repeats bool   // there has been one since the peer last owed nothing
}

// begin is for a peer that owed nothing until now.
func (t *repeats) begin(now, due int64) { *t = repeats{due: due, window: repeatFirst, moved: now} }

// move takes note that something has been confirmed.
func (t *repeats) move(now int64) { t.lull, t.moved = max(t.lull, now-t.moved), now }

// comesIn reports whether what was told first may still be coming in: the next confirmation is
// not twice as late as others were.
func (t *repeats) comesIn(now, most int64) bool { return now-t.moved < 2*min(t.lull, most) }

// next takes note of what has come of the latest message.
func (t *repeats) next(confirmed uint64) {
	switch {
	case !t.repeats:
	case confirmed > t.fruit:
		t.window, t.rests = min(2*t.window, 1<<30), 0
	case t.sent >= repeatLeast:
		t.window, t.rests = max(t.window/2, repeatLeast), min(t.rests+1, maxRests)
	}
	t.repeats, t.fruit = true, confirmed
}

// repeatEvery is the time between two repeats to one peer that confirms.
func (r *Roster) repeatEvery() int64 {
	return int64(max(50*time.Millisecond, r.cfg.Heartbeat/4))
}

// repeat tells each peer again what it has not confirmed, one message at a time.
func (r *Roster) repeat() {
	for _, p := range r.order {
		if len(p.owes) == 0 || r.now < p.repeat.due {
			continue
		}
		r.test(p)
		p.repeat.due = r.now + r.repeatEvery()
		if r.now-p.owes[0].told < r.repeatEvery() {
			p.repeat.due = p.owes[0].told + r.repeatEvery()
			continue
		}
		if p.repeat.comesIn(r.now, int64(r.cfg.Heartbeat)) {
			if _, bytes := r.unconfirmedBy(p, 2*repeatLeast); bytes >= repeatLeast {
				continue
			}
		}
		p.repeat.next(p.acked.count())
		records, bytes := r.unconfirmedBy(p, min(p.repeat.window, r.cfg.MaxBytes))
		p.repeat.due += r.repeatEvery()<<p.repeat.rests - r.repeatEvery()
		if p.repeat.sent = bytes; len(records) > 0 {
			r.tell(p.ID, records)
		}
	}
}

// unconfirmedBy is the first of what a peer owes and was told long enough ago, in so many
// bytes if it is more than one record.
func (r *Roster) unconfirmedBy(p *peer, most int) (records []Invalidation, bytes int) {
	for _, o := range p.owes {
		if r.now-o.told < r.repeatEvery() {
			p.repeat.due = min(p.repeat.due, o.told+r.repeatEvery())
			break
		}
		for i, t := range o.targets {
			n := o.first + uint64(i)
			if p.acked.has(n) {
				continue
			}
			more := size(r.toldAs(t))
			if bytes+more > most && len(records) > 0 {
				return records, bytes
			}
			bytes += more
			records = append(records, Invalidation{Source: r.self, N: n, Target: t})
		}
	}
	return records, bytes
}
