package mesh_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/internal/wire"
	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/testenv"
)

// An asker holds its next batch back until the last part has come, which must not take long.
func TestPartsOfASmallAnswerAnnounceTheNextOne(t *testing.T) {
	for _, c := range []struct{ values, size, parts, announced int }{
		{1, 100, 1, 0},
		{60, 1 << 10, 2, 1},
		{64, 16 << 10, 32, 7}, // the next batch goes when 256 KiB are on their way
	} {
		t.Run(fmt.Sprint(c.values, " of ", c.size), func(t *testing.T) {
			bubble(t, 1, func(t *testing.T, w *town) {
				caches := open[[]byte](w, "c", testenv.NewOrigin(), mesh.Options{})
				ask := wire.Ask{Inc: 1, Batch: 1, Caches: []string{"c"}}
				for i := range c.values {
					key := fmt.Sprint(i)
					if err := caches[0].Set(w.ctx, key, loader.Item[[]byte]{Value: make([]byte, c.size)}); err != nil {
						t.Fatal(err)
					}
					ask.Questions = append(ask.Questions, wire.Question{Number: uint64(i + 1), Kind: wire.AskGet, Key: []byte(key)})
				}
				nc := w.conns[0]
				answers := answersTo(t, nc, "zz", "m0")
				data, err := wire.Append(nil, &ask)
				if err != nil {
					t.Fatal(err)
				}
				if err := nc.Publish("mesh.default.ask.m0.zz", data); err != nil {
					t.Fatal(err)
				}
				parts, announced, results := 0, 0, 0
				for more := true; more || results < c.values; {
					select {
					case msg := <-answers:
						a, _, err := wire.DecodeAnswer(msg.Data)
						if err != nil {
							t.Fatal(err)
						}
						if a.Batch != 0 != (parts == 0) {
							t.Errorf("part %d names batch %d", parts+1, a.Batch)
						}
						parts++
						results += len(a.Results)
						if more = a.Flags&wire.AnswerMore != 0; more {
							announced++
						}
					case <-time.After(10 * time.Second):
						t.Fatalf("%d of %d results in %d parts, and no more", results, c.values, parts)
					}
				}
				if parts != c.parts || announced != c.announced {
					t.Errorf("%d parts of which %d announce another, want %d and %d", parts, announced, c.parts, c.announced)
				}
			})
		})
	}
}
