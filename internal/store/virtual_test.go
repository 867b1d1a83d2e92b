package store

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestAStoreLetsVirtualTimePass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Config{OwnedBytes: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for i := range 100 {
			key := fmt.Sprint(i)
			mustKeep(t, s, key, forEver(key))
			if s.Get(key, 1) == nil {
				t.Fatalf("%s is not read", key)
			}
		}
		// An idle store has no timer, so an hour is one step.
		start := time.Now()
		time.Sleep(time.Hour)
		if d := time.Since(start); d != time.Hour {
			t.Errorf("slept %v", d)
		}
	})
}
