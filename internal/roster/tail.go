package roster

import "time"

// tailWriter spreads an answer to Want over messages of bounded size. Each says how old the
// news of the sources is whose records it brings.
type tailWriter struct {
	r     *Roster
	to    Instance
	tail  *Tail // nil: nothing to send
	bytes int
	in    map[*source]bool // the sources of tail.Bases
}

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

func (t *tailWriter) record(rec *record) {
	target := t.r.toldAs(rec.Target)
	t.fit(baseSize + size(target))
	t.note(rec.src)
	t.bytes += size(target)
	t.tail.Records = append(t.tail.Records, Invalidation{Source: rec.src.Instance, N: rec.n, Target: target})
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
