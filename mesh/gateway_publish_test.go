package mesh_test

import (
	"strings"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/testenv"
)

func TestAClientInvalidatesByPublishingToo(t *testing.T) {
	bubble(t, 3, func(t *testing.T, w *town) {
		o := testenv.NewOrigin()
		caches := open(w, "c", o, mesh.Options{})
		for _, c := range caches {
			got, err := c.Get(w.ctx, "k")
			want(t, got, err, "k#1")
		}
		client := w.server.Connect(t)
		for _, m := range []struct{ subject, body string }{
			{"mesh.default.invalidate.c", "k"},
			{"mesh.default.invalidate.c", ""}, // nobody can be told that this is no key
			{"mesh.default.get.c", "unasked"},
		} {
			if err := client.Publish(m.subject, []byte(m.body)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		for _, c := range caches {
			got, err := c.Get(w.ctx, "k")
			want(t, got, err, "k#2")
		}
		if n := strings.Count(w.log.String(), "without a reply subject"); n != 1 {
			t.Errorf("%d lines of what has failed:\n%s", n, w.log)
		}
		if n := o.LoadsOf("unasked"); n != 0 {
			t.Errorf("loaded %d times for nobody", n)
		}
	})
}
