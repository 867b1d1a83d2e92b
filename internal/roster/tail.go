package roster

import "time"

// tailWriter writes an answer to Want: what the log has lost, in as many messages as that
// takes, and of the records what fits in the last of them. Each says how old the news of the
// sources is whose records it brings.
type tailWriter struct {
	r       *Roster
	to      Instance
	tail    *Tail // nil: nothing to send
	bytes   int
	in      map[*source]bool // the sources of tail.Bases
	records int
}

// tailMost is how much of the log is told at once, by the most that it may take: over a link
// that takes seconds for more, heartbeats would come too late.
const tailMost = 256 << 10

// baseSize is the most that the base of a source takes in a message.
const baseSize = 112

// fit begins another message where this one has no room.
func (t *tailWriter) fit(more int) {
	if t.bytes+more > t.r.cfg.MaxBytes {
		t.flush()
	}
	if t.tail == nil {
		t.tail, t.in = &Tail{From: t.r.self, To: t.to}, map[*source]bool{}
	}
}

func (t *tailWriter) base(s *source) {
	t.fit(baseSize)
	t.note(s)
}

// record adds a record, and reports false if there is no room for it beside others.
func (t *tailWriter) record(rec *record) bool {
	target := t.r.toldAs(rec.Target)
	if t.records > 0 && t.bytes+baseSize+size(target) > min(tailMost, t.r.cfg.MaxBytes) {
		return false
	}
	t.fit(baseSize + size(target))
	t.note(rec.src)
	t.bytes += size(target)
	t.records++
	t.tail.Records = append(t.tail.Records, Invalidation{Source: rec.src.Instance, N: rec.n, Target: target})
	return true
}

// note has the message name a source.
func (t *tailWriter) note(s *source) {
	if t.in[s] {
		return
	}
	a := Applied{Source: s.Instance, Age: time.Duration(t.r.now - s.changed)}
	if s.base > s.have {
		a.Upto = s.base
	}
	t.in[s] = true
	t.bytes += baseSize
	t.tail.Bases = append(t.tail.Bases, a)
}

func (t *tailWriter) flush() {
	if t.tail != nil {
		t.r.send(t.to.ID, t.tail)
	}
	t.tail, t.bytes, t.in = nil, 0, nil
}
