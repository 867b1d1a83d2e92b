package mesh_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/testenv"
)

func oddKeys() []string {
	keys := []string{
		"a", " ", ".", "*", ">", "\x00", "\xff", "\xff\xfe", "\n", "a.b.c", "mesh.>", "a b\tc", "ä€😀", "\xed\xa0\x80",
		strings.Repeat("\x00", 100), strings.Repeat(".", 4096), strings.Repeat("k", 65535), strings.Repeat("\xff", 65536),
	}
	for i := range 256 {
		keys = append(keys, string([]byte{byte(i), 'k'}))
	}
	return keys
}

func TestKeysAreAnyBytes(t *testing.T) {
	bubble(t, 3, func(t *testing.T, w *town) {
		n := 0
		var mu sync.Mutex
		caches := open(w, "c", loader.Of(func(_ context.Context, key string) ([]byte, error) {
			mu.Lock()
			defer mu.Unlock()
			n++
			return []byte("<" + key + ">"), nil
		}), mesh.Options{})
		client := w.server.Connect(t)
		keys := oddKeys()
		for _, key := range keys {
			for i, c := range caches {
				e, err := c.Lookup(w.ctx, key)
				if err != nil || string(e.Value) != "<"+key+">" || e.Key != key {
					t.Errorf("key %.40q on m%d: %.40q, %v", key, i, e.Value, err)
				}
			}
			reply, err := client.Request("mesh.default.get.c", []byte(key), 5*time.Second)
			if err != nil || string(reply.Data) != "<"+key+">" {
				t.Errorf("key %.40q from outside: %v", key, err)
			}
		}
		if n != len(keys) {
			t.Errorf("%d loads of %d keys", n, len(keys))
		}
		for i, c := range caches {
			got, err := c.GetMany(w.ctx, keys)
			if err != nil || len(got) != len(keys) {
				t.Errorf("m%d: %d values, %v", i, len(got), err)
			}
			for key, v := range got {
				if string(v) != "<"+key+">" {
					t.Errorf("key %.40q among many: %.40q", key, v)
				}
			}
		}
		if err := caches[0].Invalidate(w.ctx, keys...); err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			if _, err := caches[1].Get(w.ctx, key, mesh.CachedOnly()); !errors.Is(err, mesh.ErrNotCached) {
				t.Errorf("key %.40q was invalidated: %v", key, err)
			}
		}
	})
}

// pattern is n bytes in which each place is told from the others.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16 ^ i>>24)
	}
	return b
}

func TestValuesOfAllSizesComeBackFromTheirOwner(t *testing.T) {
	w := newTown(t, testenv.NATS(t), 2)
	sizes := []int{0, 1, 60 << 10, 256<<10 - 1, 256 << 10, 256<<10 + 1, 1<<20 - 1, 1 << 20, 1<<20 + 1, 5 << 20}
	if !testing.Short() {
		sizes = append(sizes, 64<<20)
	}
	values := map[string][]byte{}
	caches := open(w, "c", loader.Of(func(_ context.Context, key string) ([]byte, error) { return values[key], nil }), mesh.Options{MaxBytes: 512 << 20})
	keys := w.keysOf("c", "m1", len(sizes))
	for i, n := range sizes {
		values[keys[i]] = pattern(n)
	}
	for i, key := range keys {
		for _, c := range caches[:1] {
			for range 2 { // loaded, then from the owner's memory
				got, err := c.Get(w.ctx, key)
				if err != nil || !bytes.Equal(got, values[key]) {
					t.Errorf("%d bytes came back as %d, %v", sizes[i], len(got), err)
				}
			}
		}
	}
	if n := loads(caches); n != uint64(len(sizes)) {
		t.Errorf("%d loads", n)
	}
	small, err := caches[0].GetMany(w.ctx, keys[:9])
	if err != nil {
		t.Fatal(err)
	}
	for key, v := range small {
		if !bytes.Equal(v, values[key]) {
			t.Errorf("among many, %d bytes came back as %d", len(values[key]), len(v))
		}
	}
}

func TestALargeValueIsSetFromAnotherMember(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		o := testenv.NewOrigin()
		caches := open[[]byte](w, "c", o, mesh.Options{})
		key, value := w.keyOf("c", "m1"), pattern(3<<20)
		if err := caches[0].Set(w.ctx, key, loader.Item[[]byte]{Value: value}); err != nil {
			t.Fatal(err)
		}
		for i, c := range caches {
			if got, err := c.Get(w.ctx, key); err != nil || !bytes.Equal(got, value) {
				t.Errorf("m%d: %d bytes, %v", i, len(got), err)
			}
		}
		if o.Loads() != 0 {
			t.Errorf("%d loads", o.Loads())
		}
	})
}

func TestOneByteMoreThanMaxValueBytesIsTooLarge(t *testing.T) {
	for _, most := range []int64{1, 1000, 300 << 10, 2 << 20} { // in an answer, and in pieces
		t.Run(fmt.Sprint(most), func(t *testing.T) {
			bubble(t, 2, func(t *testing.T, w *town) {
				size := most
				caches := open(w, "c", loader.Of(func(context.Context, string) ([]byte, error) { return make([]byte, size), nil }), mesh.Options{MaxValueBytes: most})
				keys := w.keysOf("c", "m1", 2)
				for i, c := range caches {
					size = most
					got, err := c.Get(w.ctx, keys[0])
					if err != nil || int64(len(got)) != most {
						t.Errorf("m%d: %d bytes, %v", i, len(got), err)
					}
					size = most + 1
					began := time.Now()
					_, err = c.Get(w.ctx, keys[1])
					wantErr(t, err, mesh.ErrTooLarge)
					var le *mesh.LoadError
					if errors.As(err, &le) || err == nil || !strings.Contains(err.Error(), fmt.Sprint(most)) || strings.Count(err.Error(), "too large") != 1 {
						t.Errorf("m%d: the error does not tell the limit, once: %v", i, err)
					}
					if d := time.Since(began); d > 100*time.Millisecond {
						t.Errorf("m%d: it took %v", i, d)
					}
				}
				if w.conns[0].Stats().Reconnects+w.conns[1].Stats().Reconnects > 0 {
					t.Error("a connection was lost")
				}
			})
		})
	}
}

func TestEmptyBytesAreNilOnNoMember(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		caches := open(w, "c", loader.Of(func(_ context.Context, key string) ([]byte, error) {
			if strings.HasSuffix(key, "0") {
				return []byte{}, nil
			}
			return nil, nil
		}), mesh.Options{})
		keys := w.keysOf("c", "m1", 20)
		for i, c := range caches {
			many, err := c.GetMany(w.ctx, keys)
			wantErr(t, err, nil)
			for _, key := range keys {
				if got, err := c.Get(w.ctx, key); err != nil || got == nil || len(got) > 0 || many[key] == nil {
					t.Errorf("m%d: %v and %v, %v", i, got, many[key], err)
				}
			}
		}
	})
}

func TestAReceiverKeepsToItsOwnMaxValueBytes(t *testing.T) {
	for _, size := range []int{101, 1 << 20} {
		bubble(t, 2, func(t *testing.T, w *town) {
			o := testenv.NewOrigin()
			small := openOn[[]byte](w, w.meshes[0], "c", o, mesh.Options{MaxValueBytes: 100})
			openOn[[]byte](w, w.meshes[1], "c", o, mesh.Options{})
			w.settled("c", 2)
			key := w.keyOf("c", "m1")
			o.Set(key, make([]byte, size))
			_, err := small.Get(w.ctx, key)
			wantErr(t, err, mesh.ErrTooLarge)
		})
	}
}

func TestManyLargeValuesAtOnce(t *testing.T) {
	w := newTown(t, testenv.NATS(t), 0)
	for range 3 { // nobody is to be given up for being slow: a machine may be busy
		w.join(mesh.Config{Heartbeat: 2 * time.Second})
	}
	values := map[string][]byte{}
	for i := range 24 {
		values[fmt.Sprint("large", i)] = pattern(300<<10 + i*100_003)
		values[fmt.Sprint("small", i)] = pattern(10 + i)
	}
	caches := open(w, "c", loader.Of(func(_ context.Context, key string) ([]byte, error) { return values[key], nil }), mesh.Options{MaxBytes: 512 << 20})
	var wg sync.WaitGroup
	for _, c := range caches {
		for key, value := range values {
			wg.Go(func() {
				if got, err := c.Get(w.ctx, key); err != nil || !bytes.Equal(got, value) {
					t.Errorf("%s: %d of %d bytes, %v", key, len(got), len(value), err)
				}
			})
		}
	}
	wg.Wait()
	if n := loads(caches); n != uint64(len(values)) {
		t.Errorf("%d loads of %d keys", n, len(values))
	}
}

func TestABurstOfValuesIsPulledAtTheReadersPace(t *testing.T) {
	w := newTown(t, testenv.NATS(t), 2)
	value := pattern(256 << 10) // the most that fits in an answer: 64 at once are more than is sent unasked for
	caches := open(w, "c", loader.Of(func(context.Context, string) ([]byte, error) { return value, nil }), mesh.Options{MaxBytes: 256 << 20, ReplicaBytes: -1})
	keys := w.keysOf("c", "m1", 64)
	if _, err := caches[1].GetMany(w.ctx, keys); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		var wg sync.WaitGroup
		for _, key := range keys {
			wg.Go(func() {
				if got, err := caches[0].Get(w.ctx, key); err != nil || !bytes.Equal(got, value) {
					t.Errorf("%s: %d of %d bytes, %v", key, len(got), len(value), err)
				}
			})
		}
		wg.Wait()
	}
	if n := loads(caches); n != uint64(len(keys)) {
		t.Errorf("%d loads of %d keys", n, len(keys))
	}
}

func TestAValueLargerThanMemoryIsAnsweredAndNotKept(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		o := testenv.NewOrigin()
		caches := open[[]byte](w, "c", o, mesh.Options{MaxBytes: 64 << 10})
		key := w.keyOf("c", "m1")
		o.Set(key, pattern(17<<10))
		for i, c := range caches {
			e, err := c.Lookup(w.ctx, key)
			if err != nil || len(e.Value) != 17<<10 || e.Source != mesh.Bypass {
				t.Errorf("m%d: %d bytes from %v, %v", i, len(e.Value), e.Source, err)
			}
		}
		if o.Loads() != 2 {
			t.Errorf("%d loads", o.Loads())
		}
	})
}

func TestWhatTravelsBesideValuesFillsNoMessage(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		var tags []string
		for i := range 256 {
			tags = append(tags, fmt.Sprint(strings.Repeat("\xff", 1000), i))
		}
		for name, of := range map[string]func() (loader.Item[[]byte], error){
			"tags": func() (loader.Item[[]byte], error) { return loader.Item[[]byte]{Tags: tags}, nil },
			"etags": func() (loader.Item[[]byte], error) {
				return loader.Item[[]byte]{ETag: strings.Repeat("\xfe", 4096)}, nil
			},
			"errors": func() (loader.Item[[]byte], error) {
				return loader.Item[[]byte]{}, errors.New(strings.Repeat("\xfd", 4096))
			},
		} {
			caches := open(w, name, loader.Func[[]byte](func(context.Context, loader.Request[[]byte]) (loader.Item[[]byte], error) { return of() }), mesh.Options{})
			keys := w.keysOf(name, "m1", map[string]int{"tags": 20, "etags": 600, "errors": 600}[name])
			for range 2 { // loaded, then from memory: late answers, then those at once
				began := time.Now()
				got, err := caches[0].GetMany(w.ctx, keys)
				var ke *mesh.KeysError
				if errors.As(err, &ke) && len(ke.Errs) != len(keys) || err == nil && len(got) != len(keys) || (err != nil) != (name == "errors") {
					t.Errorf("%s: %d values, %v", name, len(got), err)
				}
				if d := time.Since(began); d > 100*time.Millisecond {
					t.Errorf("%s took %v", name, d)
				}
			}
		}
	})
}

func TestAMessageLimitBelowTheDefaultIsKeptTo(t *testing.T) {
	w := newTown(t, testenv.NATS(t, testenv.MaxPayload(128<<10)), 2)
	o := testenv.NewOrigin()
	caches := open[[]byte](w, "c", o, mesh.Options{})
	key := w.keyOf("c", "m1")
	value := pattern(1 << 20)
	o.Set(key, value)
	if got, err := caches[0].Get(w.ctx, key); err != nil || !bytes.Equal(got, value) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	long := make([]byte, 65536)
	for i := range 100 { // one that m1 owns
		if long[0] = byte(i); w.meshes[0].Owner("c", string(long)) == "m1" {
			break
		}
	}
	got, err := caches[0].Get(w.ctx, string(long))
	want(t, got, err, string(long)+"#1")
	if err := caches[0].Invalidate(w.ctx, string(long)); err != nil {
		t.Error(err)
	}
	got, err = caches[0].Get(w.ctx, string(long))
	want(t, got, err, string(long)+"#2")
}

func TestAnItemThatNoMessageTakesIsAnErrorAtOnce(t *testing.T) {
	w := newTown(t, testenv.NATS(t, testenv.MaxPayload(64<<10)), 2)
	caches := open(w, "c", loader.Func[string](func(context.Context, loader.Request[string]) (loader.Item[string], error) {
		item := loader.Item[string]{Value: "v"}
		for i := range 200 {
			item.Tags = append(item.Tags, fmt.Sprint(strings.Repeat("t", 1000), i))
		}
		return item, nil
	}), mesh.Options{})
	key := w.keyOf("c", "m1")
	for range 2 { // loaded, then from memory
		ctx, cancel := context.WithTimeout(w.ctx, 10*time.Second)
		_, err := caches[0].Get(ctx, key)
		cancel()
		if err == nil || !strings.Contains(err.Error(), "a message on this NATS") {
			t.Errorf("the error is %v", err)
		}
	}
	got, err := caches[1].Get(w.ctx, key)
	want(t, got, err, "v")
}

func TestItemsThatMakeNoSenseAreErrorsOfTheirKey(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		bad := map[string]loader.Item[string]{
			"not modified": {NotModified: true},
			"empty tag":    {Tags: []string{""}},
			"long tag":     {Tags: []string{strings.Repeat("t", 1025)}},
			"many tags":    {Tags: make([]string, 257)},
			"long ETag":    {ETag: strings.Repeat("e", 4097)},
		}
		caches := open(w, "c", loader.Func[string](func(_ context.Context, req loader.Request[string]) (loader.Item[string], error) {
			return bad[req.Key], nil
		}), mesh.Options{})
		for key := range bad {
			for i, c := range caches {
				_, err := c.Get(w.ctx, key)
				var le *mesh.LoadError
				if !errors.As(err, &le) {
					t.Errorf("%s on m%d: %v", key, i, err)
				}
			}
		}
	})
}
