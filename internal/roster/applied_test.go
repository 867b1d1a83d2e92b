package roster

import (
	"math/rand/v2"
	"testing"
)

func TestProgressIsASet(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var p progress
		model := map[uint64]bool{}
		for range 120 {
			n := 1 + rnd.Uint64N(60)
			if rnd.IntN(20) == 0 {
				p.raise(n)
				for i := range n {
					model[i+1] = true
				}
			} else if p.add(n) == model[n] {
				t.Fatalf("seed %d: add(%d) is wrong about its being new", seed, n)
			}
			model[n] = true
			var top, prefix uint64
			for i := uint64(1); i <= 61; i++ {
				if p.has(i) != model[i] {
					t.Fatalf("seed %d: has(%d) = %v: %+v", seed, i, p.has(i), p)
				}
				if model[i] {
					top = i
					if prefix == i-1 {
						prefix = i
					}
				}
			}
			if p.top() != top || p.prefix != prefix {
				t.Fatalf("seed %d: top %d of %d, prefix %d of %d", seed, p.top(), top, p.prefix, prefix)
			}
			lo := 1 + rnd.Uint64N(60)
			hi := lo + rnd.Uint64N(5)
			all := true
			for i := lo; i <= hi; i++ {
				all = all && model[i]
			}
			if p.hasAll(lo, hi) != all {
				t.Fatalf("seed %d: hasAll(%d, %d) = %v: %+v", seed, lo, hi, !all, p)
			}
		}
	}
	var p progress
	if p.add(0) {
		t.Error("0 is no number")
	}
}

func TestTheLogIsBoundedInRecordsAndBytes(t *testing.T) {
	l := newLog(100)
	s := &source{}
	for i := range uint64(5000) {
		l.add(record{s, i + 1, key(string(rune('a' + i%26)))})
	}
	if l.len() != 100 || s.base != 4900 || len(l.keys) != 26 || len(l.recs) > 2200 {
		t.Errorf("%d records, base %d, %d keys, %d slots", l.len(), s.base, len(l.keys), len(l.recs))
	}
	n := 0
	l.each(l.keys[key("a")], 0, func(r *record) {
		n++
		if r.n <= 4900 || r.Key != "a" {
			t.Errorf("found %+v", r)
		}
	})
	if n != 4 && n != 3 {
		t.Errorf("found %d", n)
	}
	l.add(record{s, 5001, key(string(make([]byte, 99*logBytes)))})
	if l.bytes > 100*logBytes || l.len() > 20 {
		t.Errorf("%d bytes in %d records", l.bytes, l.len())
	}
	l.forget(s)
	l.all(func(r *record) { t.Errorf("remembers %+v", r) })
}

func TestFloodsDoNotGrowMemory(t *testing.T) {
	onOneGoroutine(t)
	n := newNet(t)
	h := n.add("a", 1, func(c *Config) { c.LogSize = 100 })
	from := Instance{ID: "z", Inc: 1}
	for i := range uint64(5000) {
		e := h.Receive(n.now, "z", &Told{From: from, Records: []Invalidation{{from, 2 * (i + 1), key("k")}}})
		if e.Drop {
			h.drops++
		}
	}
	if got := len(h.sources[from].spans); got > maxSpans || h.drops == 0 {
		t.Errorf("%d spans, %d drops", got, h.drops)
	}
	for i := range uint64(maxSources + 200) {
		from := Instance{ID: "z", Inc: i + 2}
		h.Receive(n.now, "z", &Told{From: from, Records: []Invalidation{{from, 1, key("k")}}})
	}
	if len(h.sources) > maxSources || len(h.sourceOrder) > maxSources {
		t.Errorf("%d sources", len(h.sources))
	}
	for i := range maxPeers + 200 {
		id := "p" + string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676))
		h.Receive(n.now, id, &Beat{From: Instance{ID: id, Inc: 1}, Seq: 1, Heartbeat: testHeartbeat, Lease: testLease})
		h.Receive(n.now, id+"x", &Gone{From: Instance{ID: id + "x", Inc: 1}})
	}
	if len(h.peers) > maxPeers || len(h.newest) > 2*maxPeers || len(h.said) > maxPeers {
		t.Errorf("%d peers, %d incarnations, %d lines", len(h.peers), len(h.newest), len(h.said))
	}
}
