package mesh

import "time"

// Bounds of a link's patience. A member says at once that a batch of questions has
// come, whatever it then has to do for them: only one that does not react is slow.
const (
	// leastPatience is more than collections of garbage take, or the turn of a
	// process on a busy machine.
	leastPatience = 150 * time.Millisecond
	mostPatience  = time.Second
	// leastSlow is what a member that is heard otherwise has at least: it may be
	// busy with something else.
	leastSlow = 250 * time.Millisecond
	// silence is after how many patiences without a word a member counts as silent.
	silence = 2
)

const (
	turns    = 6 // that an answer waits for
	mostLate = 250 * time.Millisecond
)

// How many batches on their way are remembered, and for how long at least.
const (
	mostUnacked = 64
	lostAfter   = 2 * mostPatience
)

// patience measures how long a member takes to say that a batch of questions has
// come, and from that tells when it is slow, and when it is silent. The link's lock
// guards it.
type patience struct {
	unacked []sentBatch // on their way as far as is known, the oldest first
	// trip and spread are the smoothed round trip and its mean deviation, as for
	// retransmissions in RFC 6298. 0: none has been measured.
	trip, spread time.Duration
	worst        time.Duration // round trip of late: it fades with each that is shorter
	heard        int64         // when the latest answer came
	// resumed is when this process was last found to have been held up itself: it
	// judges nobody by the time before.
	resumed int64
	// late is how late this process has been of late with what it meant to do itself: it
	// fades. An answer waits for its turn here several times, and where members share
	// a machine, there too.
	late   time.Duration
	silent bool
	fell   int64 // when it turned silent
	tried  int64 // when the silent member was last asked something
}

type sentBatch struct {
	number    uint64
	questions int
	at        int64
}

// limit is how long a batch may be on its way before its member is slow. Where
// everything is slow at times, as on a busy machine, that is no member's fault. One
// that is silent has to show that it is not.
func (p *patience) limit() time.Duration {
	if p.silent {
		return p.usual()
	}
	return min(max(p.usual(), leastSlow, 3*p.worst), mostPatience) + turns*p.late
}

// usual is about the longest that a batch is on its way. Of a member that has never
// answered nobody knows.
func (p *patience) usual() time.Duration {
	if p.trip == 0 {
		return 2 * leastPatience
	}
	return min(max(p.trip+4*p.spread, leastPatience), mostPatience)
}

// sent notes that a batch of so many questions is on its way.
func (p *patience) sent(number uint64, questions int, now int64) {
	lost := max(0, len(p.unacked)+1-mostUnacked)
	for lost < len(p.unacked) && now-p.unacked[lost].at > int64(lostAfter) {
		lost++
	}
	if lost > 0 {
		p.unacked = append(p.unacked[:0], p.unacked[lost:]...)
	}
	p.unacked = append(p.unacked, sentBatch{number, questions, now})
}

// answered notes an answer, which says that a batch has come; 0: none. What was sent
// before that batch has come as well, or is lost. It gives how many questions are in the
// batch, 0 where that is not known any more.
func (p *patience) answered(batch uint64, now int64) (questions int) {
	p.heard = now
	for i, b := range p.unacked {
		if b.number == batch {
			questions = b.questions
			p.measure(time.Duration(now - b.at))
			p.unacked = append(p.unacked[:0], p.unacked[i+1:]...)
			break
		}
	}
	p.speaks()
	return questions
}

// hears notes when anything else was last heard from the member.
func (p *patience) hears(at int64) {
	if at > p.fell {
		p.speaks()
	}
}

// speaks ends a silence: of what it was silent for, one measurement is enough.
func (p *patience) speaks() {
	if p.silent {
		p.silent = false
		p.unacked = p.unacked[:0]
	}
}

func (p *patience) measure(trip time.Duration) {
	trip = min(max(trip, time.Microsecond), mostPatience)
	p.worst = max(trip, p.worst-p.worst/64)
	if p.trip == 0 {
		p.trip, p.spread = trip, trip/2
		return
	}
	p.spread += (max(p.trip-trip, trip-p.trip) - p.spread) / 4
	p.trip += (trip - p.trip) / 8
}

// forget forgets what is on its way: nobody is there to say that it has come.
func (p *patience) forget() { p.unacked = p.unacked[:0] }

// judge says up to which batch the member is slow (0: it is not), and when to look
// again (forever: not before more is sent). heard is when anything else was heard
// from it. Whoever has said nothing for long, of whatever kind, turns silent; but one
// message alone may have been lost, if nobody waits for what it asked.
func (p *patience) judge(waits bool, heard, now int64) (slow uint64, next int64) {
	next = forever
	if len(p.unacked) == 0 {
		return 0, next
	}
	limit := int64(p.limit())
	for _, b := range p.unacked {
		if due := max(b.at, p.resumed) + limit; due <= now {
			slow = b.number
		} else {
			next = due
			break
		}
	}
	if !p.silent && (waits || len(p.unacked) > 1) {
		due := max(p.unacked[0].at, p.resumed, p.heard, heard) + silence*int64(p.usual()) + turns*int64(p.late)
		if due <= now {
			p.silent, p.fell, p.tried = true, now, now
		} else {
			next = min(next, due)
		}
	}
	return slow, next
}

// held notes that this process is late by so much: it was stopped, or had no turn.
func (p *patience) held(late time.Duration, now int64) {
	p.late = max(min(late, mostLate), p.late-p.late/8)
	if late > leastPatience/3 {
		p.resumed = now
	}
}

// turn reports whether a silent member is to be asked all the same, to see whether
// it still is: now and then.
func (p *patience) turn(now int64) bool {
	if now-p.tried < int64(repeatAfter) {
		return false
	}
	p.tried = now
	return true
}
