package mesh

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/cachemesh/cachemesh/internal/roster"
)

// host runs the roster: it hands it the time and what happened, and carries
// out what the roster decides before anything else happens to it.
type host struct {
	m *Mesh

	// mu guards the roster, and makes a step and its effects on memory one:
	// what a heartbeat shows as applied has been dropped here.
	mu     sync.Mutex
	roster *roster.Roster
	nonce  uint64                   // of this process, to tell it from another with its ID
	ops    map[uint64]chan []string // invalidations that somebody waits for, and is told who has not confirmed; closed: all have
	awake  chan struct{}            // closed when the round after a stop is over; nil outside one
	timer  *time.Timer              // for the roster's next tick
	armed  int64                    // what timer is set to; guarded by mu

	view atomic.Pointer[view]
	self atomic.Uint64 // this member's present incarnation
	// ticked is when the roster was last ticked: a member that finds it a lease
	// old has been stopped.
	ticked atomic.Int64

	joined  chan struct{}
	refused chan string
	differs chan string // what of Config does not fit the mesh, once, before joined
}

func newHost(m *Mesh, nonce uint64, version string, hash uint8) *host {
	now := m.clock.now()
	h := &host{
		m:     m,
		nonce: nonce,
		roster: roster.New(roster.Config{
			ID: m.cfg.ID, Nonce: nonce, Heartbeat: m.cfg.Heartbeat, Lease: m.cfg.Lease,
			Weight: m.cfg.Weight, Reader: m.cfg.Reader, Version: version, Hash: hash,
			MaxBytes: m.maxMessage(), Quorum: m.cfg.Quorum,
		}, now),
		ops:     map[uint64]chan []string{},
		joined:  make(chan struct{}),
		refused: make(chan string, 1),
		differs: make(chan string, 1),
	}
	h.view.Store(newView(h.roster.View()))
	h.self.Store(h.roster.Self().Inc)
	h.ticked.Store(now)
	return h
}

// step lets the roster take one event, carries out its effects on memory under
// the lock, and sends its messages after it.
func (h *host) step(event func(r *roster.Roster, now int64) roster.Effects) {
	h.mu.Lock()
	e := event(h.roster, h.m.clock.now())
	h.carryOut(e)
	h.mu.Unlock()
	h.tell(e)
}

// stepTicked is step for an event after which the roster counts as ticked. That is said
// once the view is there that may say that this process was stopped: whoever reads ticked
// before view, as all do, takes no stop for over that is not.
func (h *host) stepTicked(event func(r *roster.Roster, now int64) roster.Effects) {
	h.mu.Lock()
	now := h.m.clock.now()
	e := event(h.roster, now)
	h.carryOut(e)
	h.ticked.Store(now)
	h.arm()
	h.mu.Unlock()
	h.tell(e)
}

// uncounting is the members, by ID, whose word Join waits for; a dozen at most.
func (h *host) uncounting() (ids []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, i := range h.roster.Uncounting() {
		if len(ids) == 12 {
			return append(ids, "others")
		}
		ids = append(ids, i.ID)
	}
	return ids
}

// carryOut is the part of the effects that must be done before the next step.
// The lock is held.
func (h *host) carryOut(e roster.Effects) {
	h.self.Store(h.roster.Self().Inc)
	if e.Drop {
		h.m.dropAll()
	}
	for _, t := range e.Apply {
		h.m.apply(t)
	}
	if e.View != nil {
		v := newView(e.View)
		h.view.Store(v)
		h.m.viewChanged(v)
		if v.Waking && h.awake == nil {
			h.awake = make(chan struct{})
		}
	}
	for _, op := range e.Done {
		if ch := h.ops[op]; ch != nil {
			close(ch)
			delete(h.ops, op)
		}
	}
	for _, op := range e.Parted {
		if ch := h.ops[op.ID]; ch != nil {
			ch <- op.Missing
			delete(h.ops, op.ID)
		}
	}
	if e.Joined {
		close(h.joined)
	}
	if e.Refused != "" {
		select {
		case h.refused <- e.Refused:
		default:
		}
	}
	if e.Differs != "" {
		h.differs <- e.Differs // once: the roster is over
	}
	if e.Awake && h.awake != nil {
		close(h.awake)
		h.awake = nil
	}
	h.arm()
}

// arm sets the timer to what is due next. Steps that come meanwhile, however many, do not
// put it off. The lock is held.
func (h *host) arm() {
	if at := max(h.roster.Next(), h.ticked.Load()+int64(time.Millisecond)); h.timer != nil && at != h.armed {
		h.armed = at
		h.timer.Reset(time.Duration(max(at-h.m.clock.now(), 0)))
	}
}

// limit tells the roster how much goes into one message now.
func (h *host) limit(bytes int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.roster.Limit(bytes)
}

// tell does what may wait until the lock has been given back.
func (h *host) tell(e roster.Effects) {
	for _, l := range e.Log {
		level := h.m.log.Info
		if l.Warn {
			level = h.m.log.Warn
		}
		level("cachemesh: "+l.Text, "member", l.Peer)
	}
	h.m.outbox.post(e.Send)
}

// run ticks the roster until the mesh has ended.
func (h *host) run(done <-chan struct{}) {
	h.mu.Lock()
	h.timer = time.NewTimer(0)
	timer := h.timer
	h.mu.Unlock()
	defer timer.Stop()
	for {
		select {
		case <-done:
			return
		case <-timer.C:
			h.tick()
		}
	}
}

func (h *host) tick() {
	h.stepTicked((*roster.Roster).Tick)
}

// current is the view to route by at now.
func (h *host) current(now int64) *view {
	v := h.view.Load()
	if now >= v.Until {
		h.tick()
		v = h.view.Load()
	}
	return v
}

// asleep reports whether memory must not be used now: the process was stopped
// for a lease, and what it missed has not been asked for yet.
func (h *host) asleep(now int64) bool {
	return now-h.ticked.Load() >= int64(h.m.cfg.Lease) || h.view.Load().Waking
}

// fenced reports whether memory must not be used now because no quorum is heard:
// reads are loads then, and nothing is kept. Never in bounded mode.
func (h *host) fenced(now int64) bool { return h.view.Load().Fenced(now) }

// wake starts the round after a stop if need be and gives what is closed when
// it is over; nil if it is.
func (h *host) wake() <-chan struct{} {
	h.stepTicked((*roster.Roster).Wake)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.awake == nil {
		return nil
	}
	return h.awake
}

// inc is this member's present incarnation.
func (h *host) inc() uint64 { return h.self.Load() }

// instance is the incarnation of the member with that ID, 0 if none is known, and
// whether invalidations wait for it. Of a member that is counted the view knows.
func (h *host) instance(id string) (inc uint64, waited bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	inst, waits := h.roster.Known(id)
	return inst.Inc, waits
}
