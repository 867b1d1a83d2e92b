package roster

import (
	"fmt"
	"math"
	"time"
)

const (
	defaultLogSize  = 65536
	defaultMaxBytes = 512 << 10
	// minGap keeps heartbeats that answer somebody from becoming a storm; it
	// grows with the number of messages that they are, one for each pair of members.
	minGap        = 5 * time.Millisecond
	minGapPerPair = 50 * time.Microsecond
	never         = math.MaxInt64
)

// Config is what a roster is told at its start.
type Config struct {
	ID        string        // this member
	Nonce     uint64        // random, fixed for the process; seeds the low 32 bits of the incarnation
	Heartbeat time.Duration // default 1s
	Lease     time.Duration // silence after which this member is evicted; default 5 heartbeats
	Weight    int           // default 1, at most 1024
	Reader    bool          // owns nothing
	Version   string
	Hash      uint8 // the version of the hash that picks owners: members of another are ignored
	LogSize   int   // records whose content is kept; default 65536, negative: none
	MaxBytes  int   // about how many bytes of records go in one message; default 512 KiB
	// Quorum above 0 is fence mode: a member that cannot hear this many members,
	// itself included, is fenced. It must be a majority of the members that there
	// will ever be at a time, and the same for all; so must Lease then.
	Quorum   int
	Large    Large
	Ablation Ablation // for the simulation
}

func (c Config) withDefaults() Config {
	if c.Heartbeat <= 0 {
		c.Heartbeat = time.Second
	}
	if c.Lease <= 0 {
		c.Lease = 5 * c.Heartbeat
	}
	c.Lease = min(max(c.Lease, minLease), maxLease)
	c.Weight = min(max(c.Weight, 1), maxWeight)
	if c.LogSize == 0 {
		c.LogSize = defaultLogSize
	}
	c.LogSize = max(c.LogSize, 0)
	if c.MaxBytes <= 0 {
		c.MaxBytes = defaultMaxBytes
	}
	c.Large = c.Large.withDefaults()
	return c
}

// Roster is one member's membership and invalidation state. Its methods must not
// run at the same time. It keeps what it is handed and changes none of it, so a
// message may be shared by several rosters.
type Roster struct {
	cfg  Config
	self Instance
	now  int64
	out  Effects // of the step that runs

	begun, born int64 // Start; the start of this incarnation
	joined      bool
	wasJoined   bool // Join has returned in this process
	joinedAt    int64
	tenureFrom  int64 // when it first had
	leaving     bool
	over        bool // gone or refused: no step does anything
	apart       bool // displaced by an elder member of this ID: a mesh of its own
	elder       displaced

	seq       uint64
	sent      []int64 // when heartbeats were sent, by seq: see remember
	lastBeat  int64
	allSeq    uint64 // of the latest to all
	beatDue   int64
	wantBeat  bool // as soon as minGap allows
	forceBeat bool // now
	asking    bool // and all are to answer it

	large bool // the mesh is: see Large
	size  int  // peers that are heard

	peers  map[string]*peer
	order  []*peer // by ID
	newest map[string]*newest

	sources     map[Instance]*source
	sourceOrder []*source // by instance
	log         *log
	changes     uint64 // grows with what is applied, raised or forgotten
	life        time.Duration
	forever     bool
	wantDue     int64 // the log is asked for no sooner

	issued uint64 // our own records
	opSeq  uint64
	ops    map[uint64]*op

	caches map[string]*ownCache

	serves    int64 // until when a quorum is heard; bounded mode: for ever
	wasFenced bool  // as it was last announced
	saidFence bool  // as it was last logged
	saidAny   bool  // it was logged at all
	served    bool  // this incarnation has ever not been fenced
	lingering []*op // nobody owes them, and no quorum has agreed to them yet
	keeps     bool  // nobody owes some, but this member has yet to find the others again

	lastTick int64
	ticked   bool
	waking   bool
	wakeSeq  uint64
	wakeAt   int64

	view  *View
	dirty bool

	lookedAt int64 // when it was made

	contested int64 // until when a namesake counts as one that we have refused
	rival     uint64
	said      map[string]bool // lines that are logged once
}

// New makes a roster. Nothing happens before Start.
func New(cfg Config, now int64) *Roster {
	cfg = cfg.withDefaults()
	r := &Roster{cfg: cfg, now: now, begun: now, born: now, lastTick: now, beatDue: now,
		peers: map[string]*peer{}, newest: map[string]*newest{}, sources: map[Instance]*source{},
		log: newLog(cfg.LogSize), ops: map[uint64]*op{}, caches: map[string]*ownCache{}, said: map[string]bool{}, changes: 1, sent: make([]int64, minSent)}
	r.self = Instance{ID: cfg.ID, Inc: 1<<32 | cfg.Nonce&math.MaxUint32}
	if cfg.Ablation.OneIncarnation {
		r.self.Inc = 1
	}
	if cfg.Quorum <= 0 {
		r.serves = never
	}
	r.wasFenced = r.fenced()
	r.measureLife()
	r.view = r.look()
	return r
}

// Self is this member's instance.
func (r *Roster) Self() Instance { return r.self }

// View is the current view: the same pointer until it changes.
func (r *Roster) View() *View { return r.view }

// Start sends the first heartbeat.
func (r *Roster) Start(now int64) Effects {
	r.begin(now)
	r.begun, r.born, r.lastTick, r.ticked = r.now, r.now, r.now, true
	r.forceBeat = true
	return r.finish()
}

// Tick does what is due. It is harmless when early; Next says when it is wanted.
func (r *Roster) Tick(now int64) Effects {
	r.begin(now)
	r.lastTick, r.ticked = r.now, true
	if r.apart {
		return r.finish()
	}
	if r.now >= r.beatDue {
		r.forget()
		r.measure()
		r.beatIsDue()
	}
	r.repeat()
	return r.finish()
}

// Next is when Tick is wanted, by the host's clock.
func (r *Roster) Next() int64 {
	if r.over {
		return never
	}
	if r.apart {
		if r.leaving {
			return never
		}
		return r.elder.until
	}
	next := r.beatDue
	if r.large {
		next = min(next, r.nextSpoken())
	}
	for _, p := range r.order {
		if p.waits && !r.waking {
			next = min(next, r.waitEnds(p)+1)
		}
		if len(p.owes) > 0 {
			next = min(next, p.repeat.due)
		}
	}
	if !r.joined && !r.leaving && r.now < r.born+int64(r.cfg.Heartbeat) {
		next = min(next, r.born+int64(r.cfg.Heartbeat))
	}
	if r.fenceMode() {
		next = min(next, r.nextAgreed())
		if r.serves > r.now {
			next = min(next, r.serves)
		}
		if !r.seasoned() {
			next = min(next, r.born+r.term())
		}
	}
	if r.waking {
		next = min(next, r.wakeAt+int64(r.cfg.Lease))
	}
	return next
}

// Receive takes a message. from is the ID that the transport vouches for.
func (r *Roster) Receive(now int64, from string, body any) Effects {
	r.begin(now)
	if r.over {
		return r.finish()
	}
	if r.apart {
		r.hearApart(from, body)
		return r.finish()
	}
	switch b := body.(type) {
	case *Beat:
		if r.vouched(from, b.From) {
			r.hear(b)
		}
	case *Told:
		if r.vouched(from, b.From) {
			r.told(b)
		}
	case *Confirm:
		if r.vouched(from, b.From) {
			r.confirm(b)
		}
	case *Want:
		if r.vouched(from, b.From) && b.To == r.self {
			r.tail(b)
		}
	case *Tail:
		if r.vouched(from, b.From) && b.To == r.self {
			r.learn(b)
		}
	case *Gone:
		if r.vouched(from, b.From) {
			r.gone(b.From)
		}
	case *Taken:
		if from == b.ID && from == r.self.ID {
			r.taken(b)
		}
	default:
		r.once("body "+from, func() { r.logf(true, from, "dropped a message of unknown type %T", body) })
	}
	return r.finish()
}

// vouched reports whether a message is from whom it says.
func (r *Roster) vouched(from string, says Instance) bool {
	if from == says.ID && from != "" && says.Inc != 0 {
		return true
	}
	r.once("from "+from, func() {
		r.logf(true, from, "dropped a message that claims to be from %q (incarnation %d)", says.ID, says.Inc)
	})
	return false
}

// begin opens a step. Time never runs backwards in a roster.
func (r *Roster) begin(now int64) {
	r.now = max(r.now, now)
	r.out = Effects{}
	if r.over || r.apart {
		return
	}
	r.noticeStop()
	r.expire()
}

// finish closes a step: it draws the conclusions and hands out the effects.
func (r *Roster) finish() Effects {
	r.tryReturn()
	if !r.over && !r.apart {
		r.tryJoin()
		r.endReturn()
		r.tryServe()
		r.tryOwn()
		r.tryWake()
		r.tryEndLingering()
		if r.forceBeat || r.wantBeat && r.now >= r.lastBeat+r.gap() {
			r.beat("")
		} else if r.wantBeat {
			r.beatDue = min(r.beatDue, r.lastBeat+r.gap())
		}
		if r.large {
			r.speak()
		}
	}
	if r.apart {
		r.tryEndLingering()
	}
	r.forceBeat, r.asking = false, false
	r.publish()
	r.ticked = false
	out := r.out
	r.out = Effects{}
	return out
}

func (r *Roster) send(to string, body any) {
	r.out.Send = append(r.out.Send, Message{To: to, Body: body})
}

func (r *Roster) logf(warn bool, peer, format string, args ...any) {
	r.out.Log = append(r.out.Log, Line{Warn: warn, Text: fmt.Sprintf(format, args...), Peer: peer})
}

// once runs f for the first time that it is called with what.
func (r *Roster) once(what string, f func()) {
	if !r.said[what] && len(r.said) < maxPeers {
		r.said[what] = true
		f()
	}
}
