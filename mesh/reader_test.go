package mesh_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/testenv"
)

func TestAReaderReadsAndOwnsNothing(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		o := testenv.NewOrigin()
		caches := open[[]byte](w, "c", o, mesh.Options{})
		m := w.join(mesh.Config{ID: "reader", Reader: true})
		reader := openOn[[]byte](w, m, "c", nil, mesh.Options{})
		w.settled("c", 2)
		for i := range 200 {
			key := fmt.Sprint("k", i)
			got, err := reader.Get(w.ctx, key)
			want(t, got, err, key+"#1")
			for _, m := range w.meshes {
				if m.Owner("c", key) == "reader" {
					t.Fatalf("a Reader owns %s in the view of %s", key, m.ID())
				}
			}
		}
		if st := reader.Stats(); st.Loads != 0 || st.Entries != 0 || st.Served != 0 {
			t.Errorf("%+v", st)
		}
		hot := w.keyOf("c", "m1")
		w.soon("it has a replica of what is hot", func() bool {
			e, err := reader.Lookup(w.ctx, hot)
			return err == nil && e.Source == mesh.Replica
		})
		if err := reader.Invalidate(w.ctx, hot); err != nil {
			t.Fatal(err)
		}
		before := o.LoadsOf(hot)
		for _, c := range append(caches, reader) {
			got, err := c.Get(w.ctx, hot)
			want(t, got, err, fmt.Sprint(hot, "#", before+1))
		}
		if err := reader.Set(w.ctx, hot, loader.Item[[]byte]{Value: []byte("set")}); err != nil {
			t.Fatal(err)
		}
		for _, c := range append(caches, reader) {
			got, err := c.Get(w.ctx, hot)
			want(t, got, err, "set")
		}
		if err := caches[0].Invalidate(w.ctx, hot); err != nil { // it confirms, too
			t.Fatal(err)
		}
		got, err := reader.Get(w.ctx, hot)
		want(t, got, err, fmt.Sprint(hot, "#", before+2))
		if err := reader.Clear(w.ctx); err != nil {
			t.Fatal(err)
		}
		for _, m := range m.Members() {
			if m.Reader != (m.ID == "reader") {
				t.Errorf("%+v", m)
			}
		}
	})
}

func TestAReaderSaysThatNobodyOwnsTheCache(t *testing.T) {
	bubble(t, 1, func(t *testing.T, w *town) {
		m := w.join(mesh.Config{ID: "reader", Reader: true})
		never := testenv.NewOrigin()
		reader := openOn[[]byte](w, m, "c", never, mesh.Options{})
		for _, opts := range [][]mesh.ReadOption{nil, {mesh.Fresh()}} {
			began := time.Now()
			_, err := reader.Get(w.ctx, "k", opts...)
			wantErr(t, err, mesh.ErrNoOwner)
			if d := time.Since(began); d > 2*time.Second {
				t.Errorf("it took %v", d)
			}
		}
		_, err := reader.Get(w.ctx, "k", mesh.CachedOnly())
		wantErr(t, err, mesh.ErrNotCached)
		_, err = reader.GetMany(w.ctx, []string{"a", "b"})
		wantErr(t, err, mesh.ErrNoOwner)
		ctx, cancel := context.WithTimeout(w.ctx, 100*time.Millisecond)
		defer cancel()
		_, err = reader.Get(ctx, "k")
		wantErr(t, err, context.DeadlineExceeded)

		waiting := get(w.ctx, reader, "k")
		c := openOn[[]byte](w, w.meshes[0], "c", testenv.NewOrigin(), mesh.Options{})
		a := <-waiting
		want(t, a.value, a.err, "k#1")
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		w.soon("the last owner has closed the cache", func() bool {
			_, err := reader.Get(w.ctx, "other")
			return err != nil
		})
		_, err = reader.Get(w.ctx, "other")
		wantErr(t, err, mesh.ErrNoOwner)
		if never.Loads() != 0 {
			t.Error("a Reader has loaded")
		}
	})
}
