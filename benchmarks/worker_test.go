package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// play lets a worker obey commands and gives its replies.
func play(t *testing.T, spec string, commands ...command) []reply {
	t.Helper()
	r, w := io.Pipe()
	var out bytes.Buffer
	done := make(chan error, 1)
	go func() { done <- worker(spec, r, &out) }()
	// The input never ends here: its end would end this process.
	for _, c := range commands {
		if err := json.NewEncoder(w).Encode(c); err != nil {
			t.Fatal(err)
		}
	}
	if len(commands) > 0 {
		if _, err := io.WriteString(w, `{"Do":"stop"}`); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case err := <-done:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the worker does not end")
	}
	var replies []reply
	for dec := json.NewDecoder(&out); ; {
		var r reply
		if err := dec.Decode(&r); errors.Is(err, io.EOF) {
			return replies
		} else if err != nil {
			t.Fatal(err)
		}
		replies = append(replies, r)
	}
}

func TestAWorkerDoesWhatItIsAsked(t *testing.T) {
	got := play(t, `{"System":"otter"}`,
		command{Do: "warm", Keys: 100, Size: 64},
		command{Do: "spin", Callers: 2, For: 10 * time.Millisecond, Keys: 100, Size: 64},
		command{Do: "closed", Callers: 4, For: 10 * time.Millisecond, Keys: 100, Size: 64},
		command{Do: "trace", Gets: 3000, Fill: 1000, Keys: 100, Size: 64, Pattern: "zipf 1.1"},
		command{Do: "usage"},
		command{Do: "fly"})
	if len(got) != 7 {
		t.Fatalf("%d replies: %+v", len(got), got)
	}
	for i, r := range got[:6] {
		if r.Err != "" {
			t.Errorf("reply %d: %s", i, r.Err)
		}
	}
	if got[1].Gets != 100 || got[2].Gets < 256 || got[3].Gets == 0 || got[3].P99 < got[3].P50 {
		t.Errorf("got %+v", got[1:4])
	}
	if got[4].Gets != 3000 || got[4].Loads != 0 || got[5].Loads != 100 {
		t.Errorf("%d gets, %d loads of them, %d in all; want 3000, 0, 100", got[4].Gets, got[4].Loads, got[5].Loads)
	}
	if !strings.Contains(got[6].Err, `"fly"`) {
		t.Errorf("got %+v", got[6])
	}
}

func TestASpinThatMissesIsAnError(t *testing.T) {
	got := play(t, `{"System":"otter"}`, command{Do: "spin", For: time.Millisecond, Keys: 10, Size: 64})
	if !strings.Contains(got[1].Err, "no hits") {
		t.Errorf("got %+v", got[1])
	}
}

func TestAWorkerOfNothingSaysSo(t *testing.T) {
	if got := play(t, `{"System":"abacus"}`); len(got) != 1 || !strings.Contains(got[0].Err, `"abacus"`) {
		t.Errorf("got %+v", got)
	}
}

func TestAGetThatFailsIsCountedApart(t *testing.T) {
	broken := &system{
		get:   func(_ context.Context, key string) (int, error) { return 0, errors.New("broken") },
		loads: func() uint64 { return 0 },
	}
	r, err := closedLoop(t.Context(), broken, command{Callers: 2, For: 5 * time.Millisecond, Keys: 3, Size: 8})
	if err != nil || r.Gets != 0 || r.Failed == 0 || !strings.Contains(r.Why, "broken") {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestTheSameSeedDrawsTheSameKeys(t *testing.T) {
	for name, make := range patterns {
		a, b := make(1000, 7), make(1000, 7)
		for range 30_000 {
			if x, y := a(), b(); x != y || x < 0 {
				t.Fatalf("%s: %d and %d", name, x, y)
			}
		}
	}
}

func TestAScanAsksForKeysThatNobodyAsksForAgain(t *testing.T) {
	next, seen, once := patterns["zipf 1.1 and scans"](1000, 1), map[int]int{}, 0
	for range 50_000 {
		seen[next()]++
	}
	for key, n := range seen {
		if key > 1000 {
			once++
			if n != 1 {
				t.Fatalf("key %d is asked for %d times", key, n)
			}
		}
	}
	if once < 9_000 {
		t.Errorf("%d keys of scans, want 2 scans of 5,000", once)
	}
}

func TestACommandLineThatMakesNoSenseIsRefused(t *testing.T) {
	for _, args := range [][]string{{"-only", "juggling"}, {"-page"}, {"-page", "-out", ".", "-only", "herd"}, {"-profiles", "x", "-out", "."}, {"fast"}, {"-fast"}} {
		if _, err := parse(args, io.Discard); !errors.Is(err, errUsage) {
			t.Errorf("%v: %v", args, err)
		}
	}
	c, err := parse([]string{"-quick", "-only", "herd,zipf"}, io.Discard)
	if err != nil || !c.quick || len(c.only) != 2 {
		t.Errorf("got %+v, %v", c, err)
	}
}
