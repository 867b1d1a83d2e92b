package simulation

import (
	"slices"

	"github.com/cachemesh/cachemesh/internal/roster"
)

// floors is, by key, the latest start of an invalidation that must be obeyed.
type floors map[string]int64

func (f floors) raise(key string, t int64) { f[key] = max(f[key], t) }

// operation is one Invalidate or Set.
type operation struct {
	id      uint64
	by      *process
	began   int64
	records []*record
	done    bool // it returned nil
}

// record is one target of an operation, under each number that it was issued by.
type record struct {
	op     *operation
	target roster.Target
}

type recordID struct {
	source roster.Instance
	n      uint64
}

// issued is what a process has issued n records for: the operation that begins, or, as a new
// incarnation, all that are pending, that one included.
func (c *checker) issued(p *process, n int) (of []*record) {
	if c.issuing != nil && len(c.issuing.records) == n {
		return c.issuing.records
	}
	for _, o := range p.pending {
		of = append(of, o.records...)
	}
	return of
}

// stepped looks at a step before its messages are sent.
func (c *checker) stepped(p *process, e roster.Effects) {
	var issued []recordID
	for _, m := range e.Send {
		t, ok := m.Body.(*roster.Told)
		if !ok || m.To != "" {
			continue
		}
		for _, i := range t.Records {
			if id := (recordID{i.Source, i.N}); c.records[id] == nil {
				issued = append(issued, id)
			}
		}
	}
	of := c.issued(p, len(issued))
	for i, id := range issued {
		c.records[id] = of[i]
		p.applied[of[i]] = true
	}
	c.issuing = nil
	p.pending = slices.DeleteFunc(p.pending, func(o *operation) bool { return slices.Contains(e.Done, o.id) })
	for _, z := range c.w.slots {
		if z.id == p.id {
			continue
		}
		inst, waits := p.r.Known(z.id)
		if !waits {
			delete(p.waited, z.id)
		} else if p.waited[z.id] != inst {
			p.waited[z.id], p.floors[z.id] = inst, c.applied(p)
		}
	}
}

// applied is what p has applied and somebody was told is done.
func (c *checker) applied(p *process) floors {
	f := floors{}
	for r := range p.applied {
		if r.op.done {
			c.raise(f, r.target, r.op.began)
		}
	}
	return f
}

func (c *checker) raise(f floors, t roster.Target, began int64) {
	for _, k := range c.w.keys {
		if covers(t, k) {
			f.raise(k, began)
		}
	}
}

func (c *checker) raiseAll(f floors, o *operation) {
	for _, r := range o.records {
		c.raise(f, r.target, o.began)
	}
}

// receives looks at a message before the roster does.
func (c *checker) receives(p *process, body any) {
	switch b := body.(type) {
	case *roster.Told:
		if b.From.ID != p.id {
			c.takes(p, nil, b.Records)
		}
	case *roster.Tail:
		if b.To == p.r.Self() {
			c.takes(p, b.Bases, b.Records)
		}
	case *roster.Beat:
		for _, z := range c.w.slots {
			if z.up && z.id == b.From.ID {
				c.inTouch(p, z)
			}
		}
	}
}

func (c *checker) takes(p *process, bases []roster.Applied, records []roster.Invalidation) {
	for _, i := range records {
		if r := c.records[recordID{i.Source, i.N}]; r != nil {
			p.applied[r] = true
		}
	}
	for _, a := range bases {
		for n := uint64(1); n <= a.Upto; n++ {
			if r := c.records[recordID{a.Source, n}]; r != nil {
				p.applied[r] = true
			}
		}
	}
}
