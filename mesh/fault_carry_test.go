package mesh_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/testenv"
)

func TestInvalidationsThatFillAMessageKeepNobodyFromTheOwner(t *testing.T) {
	virtual(t, 2, func(t *testing.T, r *rig) {
		_, owned := r.keys(60, "m1")
		r.fill(owned[:1], r.all[0])
		var tags []string
		for i := range 1200 {
			tags = append(tags, fmt.Sprint("tag", i, strings.Repeat("x", 990)))
		}
		if err := r.all[0].cache.InvalidateTags(r.within(10*time.Second), tags...); err != nil {
			t.Fatal(err)
		}
		e, err := r.all[0].cache.Lookup(r.within(10*time.Second), owned[0])
		if err != nil || e.Owner != "m1" || r.all[0].cache.Stats().Unreached > 0 {
			t.Errorf("from %q, %v, %d questions not answered", e.Owner, err, r.all[0].cache.Stats().Unreached)
		}
		if n := r.origin.LoadsOf(owned[0]); n != 1 {
			t.Errorf("%d loads of what no tag was of", n)
		}
	})
}

func TestWhatABatchCarriesFitsItsMessage(t *testing.T) {
	r := newRig(t, testenv.NATS(t, testenv.MaxPayload(64<<10)))
	r.config.Heartbeat = time.Second
	r.grow(2)
	var keys []string
	for i := 0; len(keys) < 1000; i++ {
		if key := fmt.Sprint("some/longer/key/as/they/are/often/", i); r.all[0].Owner("c", key) == "m1" {
			keys = append(keys, key)
		}
	}
	r.fill(keys, r.all[0])
	if err := r.all[0].cache.Invalidate(r.within(10*time.Second), keys...); err != nil {
		t.Fatal(err)
	}
	got, err := r.all[0].cache.GetMany(r.within(10*time.Second), keys)
	if s := r.all[0].cache.Stats(); err != nil || len(got) != len(keys) || s.Unreached > 0 {
		t.Errorf("%d of %d, %v, %d questions not answered", len(got), len(keys), err, s.Unreached)
	}
	for key, v := range got {
		if string(v) != key+"#2" {
			t.Fatalf("%s after the invalidation", v)
		}
	}
}

// longTraces gives every read the same long trace.
type longTraces struct{ mesh.Observer }

func (longTraces) Trace(context.Context) string         { return strings.Repeat("t", 200) }
func (longTraces) Read(context.Context, mesh.ReadEvent) {}
func (longTraces) Load(ctx context.Context, _ mesh.LoadEvent) (context.Context, func(error)) {
	return ctx, func(error) {}
}

func TestQuestionsWithTracesFitTheirMessage(t *testing.T) {
	for _, most := range payloads {
		t.Run(fmt.Sprint(most), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, testenv.NATS(t, testenv.MaxPayload(most)))
			r.opts.Observer = longTraces{}
			r.grow(2)
			_, keys := r.keys(1000, "m1")
			got, err := r.all[0].cache.GetMany(r.within(10*time.Second), keys, mesh.MaxAge(time.Hour))
			if s := r.all[0].cache.Stats(); err != nil || len(got) != len(keys) || s.Unreached > 0 {
				t.Errorf("%d of %d, %v, %d questions not answered", len(got), len(keys), err, s.Unreached)
			}
		})
	}
}
