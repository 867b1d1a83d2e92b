package mesh_test

import (
	"bytes"
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/cachemesh/cachemesh/testenv"
)

// A new process numbers what it announces from 1 again, as the one before it did.
func TestNoValueIsPulledTogetherFromTwoProcesses(t *testing.T) {
	const size = 2 << 20
	r := newRig(t, testenv.NATS(t))
	r.grow(3)
	_, owned := r.keys(200, "m1")
	owned = owned[:24]
	values := map[string][]byte{}
	backwards := make([]string, len(owned))
	for i, key := range owned {
		backwards[len(owned)-1-i] = key
		values[key] = bytes.Repeat([]byte{byte('a' + i)}, size)
		r.origin.Set(key, values[key])
	}
	m0, m1, m2 := r.all[0], r.all[1], r.all[2]
	r.fill(owned, m1)
	m1.link.Delay(50*time.Millisecond, 0)
	pulled := later(func() (map[string][]byte, error) { return m0.cache.GetMany(r.within(30*time.Second), owned) })
	testenv.Eventually(t, 10*time.Second, "m0 pulls", func() bool { return m0.PullsFrom("m1") > len(owned)/2 })

	m1.nc.Close()
	if _, err := r.tryJoin(r.within(20*time.Second), "m1"); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, 10*time.Second, "m2 asks it", func() bool { return m2.Owner("c", owned[0]) == "m1" })

	check := func(who string, got map[string][]byte, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", who, err)
		}
		for key, v := range got {
			if !bytes.Equal(v, values[key]) {
				t.Errorf("%s: of %s %d bytes of %d are its own", who, key, bytes.Count(v, values[key][:1]), len(v))
			}
		}
	}
	got, err := m2.cache.GetMany(r.within(20*time.Second), backwards) // it announces others by the same numbers
	check("m2", got, err)
	a := <-pulled
	check("m0", a.value, a.err)
}

func TestWhatNobodyWaitsForIsPulledNoFurther(t *testing.T) {
	virtual(t, 2, func(t *testing.T, r *rig) {
		const size = 24 << 20
		_, owned := r.keys(60, "m1")
		key := owned[0]
		r.origin.Set(key, bytes.Repeat([]byte{'v'}, size))
		r.fill([]string{key}, r.all[1])
		var came atomic.Int64
		nc := r.server.Connect(t)
		if _, err := nc.Subscribe("mesh.*.ans.m0.m1", func(m *nats.Msg) { came.Add(int64(len(m.Data))) }); err != nil {
			t.Fatal(err)
		}
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
		r.all[1].link.Delay(30*time.Millisecond, 0)
		for range 4 {
			ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
			if _, err := r.all[0].cache.Get(ctx, key); err == nil {
				t.Fatal("it has come in time: this shows nothing")
			}
			cancel()
		}
		before := came.Load()
		time.Sleep(8 * time.Second)
		if more := came.Load() - before; before == 0 || more > size/8 {
			t.Errorf("%d bytes came while somebody waited, and %d after that", before, more)
		}
		if n := r.all[0].PullsFrom("m1"); n != 0 {
			t.Errorf("%d values are being pulled", n)
		}
	})
}

func TestAnOwnerThatHasForgottenAPullIsAskedForTheValueAgain(t *testing.T) {
	virtual(t, 2, func(t *testing.T, r *rig) {
		_, owned := r.keys(60, "m1")
		key, value := owned[0], bytes.Repeat([]byte{'v'}, 8<<20)
		r.origin.Set(key, value)
		r.fill([]string{key}, r.all[1])
		r.all[1].link.Delay(10*time.Millisecond, 0)
		got := get(r.within(20*time.Second), r.all[0].cache, key)
		for range 2 {
			testenv.Eventually(t, 5*time.Second, "m0 pulls", func() bool { return r.all[0].PullsFrom("m1") > 0 })
			time.Sleep(30 * time.Millisecond)
			r.all[1].ForgetPulls()
			time.Sleep(50 * time.Millisecond)
		}
		if a := <-got; a.err != nil || !bytes.Equal(a.value, value) {
			t.Errorf("%d bytes, %v", len(a.value), a.err)
		}
		if n := r.origin.LoadsOf(key); n != 1 {
			t.Errorf("%d loads", n)
		}
	})
}

// They take more than one member sends to another unasked for, and are more than it announces at once.
func TestManyValuesOfMiddleSizeAllComeFromTheirOwner(t *testing.T) {
	virtual(t, 0, func(t *testing.T, r *rig) {
		const n = 8000
		r.opts.MaxBytes = 1 << 30
		r.grow(2)
		value := bytes.Repeat([]byte{'v'}, 12<<10)
		var keys []string
		for i := 0; len(keys) < n; i++ {
			if key := fmt.Sprint("key", i); r.all[0].Owner("c", key) == "m1" {
				keys = append(keys, key)
				r.origin.Set(key, value)
			}
		}
		r.fill(keys, r.all[1])
		got, err := r.all[0].cache.GetMany(r.within(30*time.Second), keys)
		if err != nil || len(got) != n {
			t.Errorf("%d of %d values, %v", len(got), n, err)
		}
		if s := r.all[0].cache.Stats(); s.Unreached > 0 || r.origin.Loads() != n {
			t.Errorf("%d questions were answered by nobody, and %d values loaded again", s.Unreached, r.origin.Loads()-n)
		}
	})
}
