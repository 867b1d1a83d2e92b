package simulation

import (
	"time"

	"github.com/cachemesh/cachemesh/internal/roster"
)

// process hosts a roster, as mesh does: it carries out effects in their order,
// calls Tick when it is due, and answers reads by the view.
type process struct {
	w       *world
	slot    int
	id      string
	nonce   uint64
	skew    int64   // its clock less the true time at the start: no clock crosses the wire
	rate    float64 // of its clock
	r       *roster.Roster
	view    *roster.View
	up      bool
	paused  bool
	joined  bool // Join has returned
	leaving bool
	apart   bool // displaced: a mesh of its own
	closed  bool // it has closed the cache
	held    []func()
	lastGo  int64 // when it was last continued
	timer   int   // the latest timer: an older one is void
	timerAt int64
	waiters []func() // calls that wait for Effects.Awake

	onApplied func() // once, in the next step, when its Drop and Apply are done

	store         map[string]*entry
	owns, fetches map[string]*flight
	gathering     map[string]*flight // of a fenced process: loads that have not begun
	epoch         map[string]int
	gen           int
	hints         map[string]hint
	calls         map[int]*call
	callSeq       int
	ends          map[uint64]func(ok bool, missing []string)

	// for the checker
	applied map[*record]bool
	waited  map[string]roster.Instance
	floors  map[string]floors // what was applied here when it began to wait for a member
	pending []*operation      // not done yet
}

func (p *process) String() string {
	if p.r == nil {
		return p.id
	}
	return p.id + "." + itoa(p.slot) + "." + itoa(int(p.r.Self().Inc>>32)) + "-" + itoa(int(p.nonce%1000))
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + itoa(n%10)
}

// start starts a process in a slot.
func (w *world) start(slot int) {
	p := &process{w: w, slot: slot, id: w.slots[slot].id, up: true, rate: 1, gathering: map[string]*flight{}, nonce: w.rand.Uint64(), skew: w.upTo(3600 * second),
		store: map[string]*entry{}, owns: map[string]*flight{}, fetches: map[string]*flight{}, epoch: map[string]int{},
		hints: map[string]hint{}, calls: map[int]*call{}, ends: map[uint64]func(bool, []string){},
		applied: map[*record]bool{}, waited: map[string]roster.Instance{}, floors: map[string]floors{}}
	w.slots[slot] = p
	if w.Drift > 0 {
		p.rate = 1 + w.Drift*float64(2*w.rand.IntN(2)-1) // as far off as can be
	}
	large := roster.Large{From: -1}
	if w.Large {
		large = roster.Large{From: 3, Pace: 200 * time.Millisecond, Lists: 2}
	}
	p.r = roster.New(roster.Config{ID: p.id, Nonce: p.nonce, Heartbeat: time.Duration(heartbeat), Lease: time.Duration(lease), Large: large,
		LogSize: w.LogSize, MaxBytes: w.Message, Quorum: w.Quorum, Reader: slot < w.N && slot >= w.N-w.Readers, Ablation: w.Ablation}, p.clock())
	p.view = p.r.View()
	w.logf("%v starts, nonce %d", p, p.nonce)
	p.carryOut(p.r.Start(p.clock()))
	if p.up {
		p.open()
	}
}

func (p *process) open() {
	p.closed = false
	p.carryOut(p.r.Open(p.clock(), cacheName, time.Duration(ttl)))
}

// close gives up the cache: what it holds is forgotten, its flights end unkept.
func (p *process) close() {
	p.w.logf("%v closes the cache", p)
	p.closed = true
	p.forget()
	p.carryOut(p.r.Close(p.clock(), cacheName))
}

// forget drops every value and detaches every flight.
func (p *process) forget() {
	p.gen++
	p.store, p.owns, p.fetches = map[string]*entry{}, map[string]*flight{}, map[string]*flight{}
}

func (p *process) clock() int64 {
	if p.rate == 1 {
		return p.w.now + p.skew
	}
	return p.skew + int64(float64(p.w.now)*p.rate)
}

// fenced reports whether this process hears no quorum.
func (p *process) fenced() bool { return p.view.Fenced(p.clock()) }

// do runs f on a live process, or when it is continued if it is stopped.
func (p *process) do(f func()) {
	switch {
	case !p.up:
	case p.paused:
		p.held = append(p.held, f)
	default:
		f()
	}
}

func (p *process) after(d int64, f func()) { p.w.after(d, func() { p.do(f) }) }

// carryOut does what a step of the roster asks for, in the order that it asks.
func (p *process) carryOut(e roster.Effects) {
	if e.Drop {
		p.w.check.res.Drops++
		p.w.logf("%v drops everything", p)
		p.forget()
	}
	for _, t := range e.Apply {
		p.apply(t)
	}
	if e.View != nil {
		p.view = e.View
		if p.apart && !p.view.Displaced {
			p.w.check.res.Returned++
		}
		p.apart = p.view.Displaced
	}
	if f := p.onApplied; f != nil {
		p.onApplied = nil
		f()
	}
	p.w.check.stepped(p, e)
	for _, l := range e.Log {
		p.w.logf("%v: %s %s", p, l.Peer, l.Text)
	}
	for _, m := range e.Send {
		p.post(m)
	}
	if e.Joined {
		p.joined = true
		p.w.logf("%v joined", p)
		p.w.check.joined(p)
	}
	if e.Refused != "" {
		p.w.check.res.Refused++
		p.w.logf("%v refused", p)
		if !p.joined {
			p.up = false
			return
		}
	}
	for _, op := range e.Done {
		if end := p.ends[op]; end != nil {
			delete(p.ends, op)
			end(true, nil)
		}
	}
	for _, op := range e.Parted {
		if end := p.ends[op.ID]; end != nil {
			delete(p.ends, op.ID)
			end(false, op.Missing)
		}
	}
	if e.Awake {
		waiters := p.waiters
		p.waiters = nil
		for _, f := range waiters {
			f()
		}
	}
	p.setTimer()
}

// setTimer has Tick called when the roster wants it.
func (p *process) setTimer() {
	next := p.r.Next()
	if !p.up || next > p.clock()+1000*second || next == p.timerAt {
		return
	}
	p.timer++
	p.timerAt = next
	no := p.timer
	d := max(next-p.clock(), 0)
	if p.rate != 1 {
		d = int64(float64(d)/p.rate) + 1
	}
	p.after(d, func() {
		if p.timer == no {
			p.timerAt = 0
			p.carryOut(p.r.Tick(p.clock()))
		}
	})
}

// post hands a message to the network.
func (p *process) post(m roster.Message) {
	from, body := p.id, m.Body
	deliver := func(x *process) { x.receive(from, body) }
	if m.To != "" {
		p.w.send(p, m.To, deliver, nil)
		return
	}
	for slot := range p.w.slots {
		if slot != p.slot {
			p.w.carry(p, slot, deliver, nil)
		}
	}
}

func (p *process) receive(from string, body any) {
	p.w.check.receives(p, body)
	p.carryOut(p.r.Receive(p.clock(), from, body))
}

// look ticks the roster if the view has ended by itself.
func (p *process) look() {
	if p.clock() >= p.view.Until {
		p.carryOut(p.r.Tick(p.clock()))
	}
}

// awake runs f now, or after the round that follows a stop.
func (p *process) awake(f func()) {
	p.look()
	if p.view.Waking {
		p.waiters = append(p.waiters, f)
		return
	}
	f()
}

func (p *process) counts(z *process) bool {
	return z.up && p.r.Counts(p.clock(), z.r.Self())
}

func (p *process) stop() {
	p.paused = true
	p.w.logf("%v SIGSTOP", p)
}

func (p *process) cont() {
	if !p.up || !p.paused {
		return
	}
	p.paused, p.lastGo = false, p.w.now
	p.w.logf("%v SIGCONT", p)
	held := p.held
	p.held = nil
	for _, f := range held {
		p.do(f)
	}
}

func (p *process) crash() {
	p.w.logf("%v crashes", p)
	p.w.check.ended(p)
	p.up = false
}

// leave announces, lets heirs pull, goes on confirming, and is gone.
func (p *process) leave(gone func()) {
	p.w.logf("%v leaves", p)
	p.leaving = true
	p.carryOut(p.r.Leave(p.clock()))
	for _, k := range p.w.keys {
		e := p.store[k]
		if e == nil || !e.owned || e.expires <= p.w.now {
			continue
		}
		if heir := p.first(k, nil); heir != "" && heir != p.id {
			p.offer(heir, k)
		}
	}
	p.after(600*ms, func() {
		p.w.logf("%v gone", p)
		p.w.check.ended(p)
		p.carryOut(p.r.Gone(p.clock()))
		p.up = false
		gone()
	})
}

// offer tells a member to pull a key from here, carrying what R3 asks for.
func (p *process) offer(to, key string) {
	inst, _ := p.r.Known(to)
	c := p.r.CarryTo(inst, keyTarget(key), 1<<20)
	from := p.id
	p.w.send(p, to, func(x *process) {
		if x.r.Self() == inst {
			x.take(c)
			x.pull(key, from)
		}
	}, nil)
}

// take applies what a question carried.
func (p *process) take(c roster.Carry) {
	if c.Empty() {
		return
	}
	p.w.check.takes(p, c.Bases, c.Records)
	p.carryOut(p.r.Take(p.clock(), c))
}

func keyTarget(key string) []roster.Target {
	return []roster.Target{{Cache: cacheName, Kind: roster.ByKey, Key: key}}
}
