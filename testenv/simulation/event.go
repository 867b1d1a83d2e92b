package simulation

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
)

type event struct {
	at  int64
	seq int
	do  func()
}

// queue is the events to come, by time and then by the order of scheduling.
type queue []*event

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].seq < q[j].seq
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(*event)) }
func (q *queue) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}

// world is one run: true time, the network and the processes.
type world struct {
	Scenario
	plotting bool // a plot runs
	rand     *rand.Rand
	now      int64
	events   queue
	seq      int
	slots    []*process // the running or last process of each slot
	cut      map[[2]int]bool
	loss     float64
	healed   bool // links are whole, and no message is late any more
	tracing  bool
	trace    []string
	check    *checker
	keys     []string
}

func (w *world) after(d int64, do func()) {
	w.seq++
	heap.Push(&w.events, &event{w.now + d, w.seq, do})
}

// upTo is a random duration below d.
func (w *world) upTo(d int64) int64 { return w.rand.Int64N(max(d, 1)) }

func (w *world) chance(p float64) bool { return w.rand.Float64() < p }

func (w *world) logf(format string, args ...any) {
	if w.tracing {
		w.trace = append(w.trace, fmt.Sprintf("%9.4f ", float64(w.now)/1e9)+fmt.Sprintf(format, args...))
	}
}

// send delivers do to every process that has the ID, or loses, repeats, delays
// it. silent, if not nil, is what happens when NATS says that nobody listens.
func (w *world) send(from *process, id string, do func(*process), silent func()) {
	for slot, to := range w.slots {
		if slot == from.slot || to.id != id {
			continue
		}
		w.carry(from, slot, do, silent)
	}
}

func (w *world) carry(from *process, slot int, do func(*process), silent func()) {
	link := [2]int{from.slot, slot}
	if w.cut[link] || w.chance(w.loss) {
		return
	}
	copies := 1
	if w.Faults && w.chance(0.02) {
		copies = 2
	}
	for range copies {
		d := ms/5 + w.upTo(2*ms)
		if w.Faults && !w.healed && w.chance(0.03) {
			d += w.upTo(maxDelay)
		}
		w.after(d, func() {
			if w.cut[link] {
				return
			}
			to := w.slots[slot]
			if to.up {
				to.do(func() { do(to) })
			} else if silent != nil && w.chance(0.8) {
				w.after(3*ms, func() { from.do(silent) })
			}
		})
	}
}

// mend is how long it may take from when all is whole until all count all.
func (w *world) mend() int64 {
	if w.Large { // heartbeats are rare
		return 10 * second
	}
	return 5 * second
}

func run(seed uint64, sc Scenario, tracing bool) Result {
	w := &world{Scenario: sc, rand: rand.New(rand.NewPCG(seed, 0x6d657368)), cut: map[[2]int]bool{}, tracing: tracing}
	w.check = newChecker(w)
	for i := range sc.Keys {
		w.keys = append(w.keys, fmt.Sprintf("k%d", i))
	}
	for i := range sc.N + sc.Twins {
		w.slots = append(w.slots, &process{w: w, slot: i, id: string(rune('a' + i%sc.N))})
		if i < sc.N {
			w.after(w.upTo(500*ms), func() { w.start(i) })
		}
	}
	w.after(second, w.clients)
	if sc.Kinds != "" {
		w.after(2*second, w.nemesis)
	}
	w.after(runFor+5*second, w.heal)
	w.after(runFor+5*second+w.mend(), w.check.whole)
	for len(w.events) > 0 {
		e := heap.Pop(&w.events).(*event)
		w.now = e.at
		if w.now > runFor+settle {
			break
		}
		e.do()
	}
	w.check.end()
	res := w.check.res
	res.Seed, res.Scenario, res.Trace = seed, sc.Name, w.trace
	return res
}
