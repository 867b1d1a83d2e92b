package roster

import (
	"fmt"
	"testing"
	"time"
)

// crowd is n members in one mesh, and a heartbeat of each.
func crowd(b *testing.B, size int) (*testNet, []*testHost) {
	n := newNet(b)
	for i := range size {
		h := n.add(fmt.Sprintf("m%03d", i), uint64(i+1))
		h.take(h.Open(n.now, "c", time.Minute))
	}
	n.run(3 * time.Second)
	if len(n.hosts[0].View().Members) != size {
		b.Fatal("no mesh")
	}
	return n, n.hosts
}

func BenchmarkReceiveBeatOf50Members(b *testing.B) {
	n, hosts := crowd(b, 50)
	for _, h := range hosts {
		h.invalidate(key("k"))
	}
	n.run(2 * time.Second)
	h, beat := hosts[0], hosts[1].beat("")
	b.ReportAllocs()
	for b.Loop() {
		next := *beat
		beat = &next
		beat.Seq++
		h.Receive(n.now, "m001", beat)
	}
}

// BenchmarkInvalidateAmong10Members is the whole work of ten members for one key.
func BenchmarkInvalidateAmong10Members(b *testing.B) {
	n, hosts := crowd(b, 10)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		op, e := hosts[0].Invalidate(n.now, []Target{key(fmt.Sprint(i))})
		done := len(e.Done) > 0
		for _, m := range e.Send {
			for _, h := range hosts[1:] {
				for _, c := range h.Receive(n.now, "m000", m.Body).Send {
					done = done || len(hosts[0].Receive(n.now, h.Self().ID, c.Body).Done) > 0
				}
			}
		}
		if !done {
			b.Fatal(op, " is not done")
		}
	}
}

func BenchmarkCarryNothing(b *testing.B) {
	n, hosts := crowd(b, 10)
	for i := range 1000 {
		hosts[0].invalidate(key(fmt.Sprint(i)))
	}
	n.run(3 * time.Second)
	k := []Target{key("k")}
	b.ReportAllocs()
	for b.Loop() {
		if c := hosts[0].CarryTo(hosts[1].Self(), k, 1<<20); !c.Empty() {
			b.Fatal("something")
		}
	}
}
