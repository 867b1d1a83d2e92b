package main

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/cachemesh/cachemesh/mesh"
)

const (
	demoThink    = 10 * time.Millisecond // mean pause of a reader between two reads
	demoReadWait = 5 * time.Second       // a read that takes longer has failed
	demoSkew     = 1.1                   // exponent of the Zipf popularity
)

// read is one reader: until stop is closed it reads files, the popular ones more
// often, through one member of those that live.
func (d *demo) read(stop <-chan struct{}, reader int, t *tally) {
	r := rand.New(rand.NewPCG(uint64(reader), 7))
	zipf := rand.NewZipf(r, demoSkew, 1, uint64(len(d.files.keys)-1))
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-stop:
			return
		case <-pause.C:
		}
		live := *d.live.Load()
		d.readOne(live[reader%len(live)], d.files.keys[zipf.Uint64()], t)
		pause.Reset(time.Duration(r.ExpFloat64() * float64(demoThink)))
	}
}

// readOne reads one key and judges what came.
func (d *demo) readOne(m *demoMember, key string, t *tally) {
	floor := d.floors.of(key)
	ctx, cancel := context.WithTimeout(context.Background(), demoReadWait)
	began := d.origin.now()
	e, err := m.cache.Lookup(ctx, key)
	ended := d.origin.now()
	cancel()
	var s stamp
	if err == nil {
		s, err = readStamp(key, e.Value)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case m.dead.Load():
		t.lost++ // the reader died with the process, whatever it got
		return
	case err != nil:
		t.errors++
		if t.firstErr == nil {
			t.firstErr = err
		}
		return
	case e.Source < mesh.Local || e.Source > mesh.Bypass:
		e.Source = 0
	}
	t.bySource[e.Source].record(ended - began)
	if died := time.Duration(d.story.diedAt.Load()); died > 0 && ended >= died && began < died+demoLease {
		t.death.record(ended - began)
	}
	if floor > 0 {
		t.checked++
		if s.began < floor {
			t.outdated++
		}
	}
}
