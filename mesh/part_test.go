package mesh

import (
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/internal/wire"
)

func TestTheNextBatchWaitsForThePartsThatHaveBeenAnnounced(t *testing.T) {
	m := &Mesh{clock: newClock(false), host: &host{}}
	l := &link{m: m, id: "a", wake: make(chan struct{}, 1)}
	l.queue.push(new(call))
	woken := func() bool {
		select {
		case <-l.wake:
			return true
		default:
			return false
		}
	}
	batch := func(sentAt int64) {
		l.batch++
		l.unacked, l.more, l.sentAt = l.batch, false, sentAt
	}
	part := func(a wire.Answer) (goes bool) {
		t.Helper()
		l.accept(&a, nil, 0)
		goes = !l.gathers(l.sentAt)
		if got := woken(); got != goes {
			t.Errorf("the link is woken: %v, and the next batch may go: %v", got, goes)
		}
		return goes
	}

	batch(m.clock.now())
	if !l.gathers(l.sentAt) {
		t.Error("the next batch goes before the last one has been received")
	}
	if part(wire.Answer{Batch: 1, Flags: wire.AnswerMore}) || part(wire.Answer{Flags: wire.AnswerMore}) {
		t.Error("the next batch goes between two parts")
	}
	if !part(wire.Answer{}) {
		t.Error("the next batch waits though the last part has come")
	}

	batch(m.clock.now())
	part(wire.Answer{Batch: 2, Flags: wire.AnswerMore})
	if l.gathers(l.sentAt + int64(ackPatience)) {
		t.Error("the next batch waits for ever for a part that is lost")
	}

	batch(m.clock.now())
	if !part(wire.Answer{Batch: 3}) {
		t.Error("the next batch waits though all has come in one part")
	}
}

// Who asks while questions gather wakes up nobody, if somebody looks after them in time.
func TestQuestionsThatGatherWakeUpNobodyUnlessTheyWouldBeForgotten(t *testing.T) {
	const now = int64(time.Hour)
	soon, far := now+int64(ackPatience), now+int64(time.Hour)
	for what, c := range map[string]struct {
		unacked  uint64
		more     bool
		sentAt   int64
		queued   int
		looks    int64
		isToWake bool
	}{
		"nothing is on its way":                                 {0, false, now - 1, 1, soon, true},
		"a batch is on its way":                                 {1, false, now - 1, 1, soon, false},
		"a part of an answer is":                                {0, true, now - 1, 1, soon, false},
		"a batch is, and they are worth another":                {1, false, now - 1, batchWorth, soon, true},
		"a batch has been for long":                             {1, false, now - int64(ackPatience), 1, soon, true},
		"a batch is, and nobody looks":                          {1, false, now - 1, 1, far, true},
		"a part is that nobody waits for, and nobody looks":     {0, true, now - 1, 1, far, true},
		"a batch is, and who looks after it should have by now": {1, false, now - 1, 1, now - 1, false},
	} {
		l := &link{unacked: c.unacked, more: c.more, sentAt: c.sentAt, looks: c.looks}
		for range c.queued {
			l.queue.push(new(call))
		}
		if got := l.due(now); got != c.isToWake {
			t.Errorf("%s: the link is to be woken up: %v, want %v", what, got, c.isToWake)
		}
	}
}

// A value of a few bytes may come with tags, errors or many other values: the message is not kept for its sake.
func TestASmallPartOfAMessageIsCopiedOut(t *testing.T) {
	for size, copied := range map[int]bool{150: false, 20_000: true} {
		m := &Mesh{clock: newClock(false), host: &host{}}
		l := &link{m: m, id: "a", wake: make(chan struct{}, 1)}
		var got []byte
		l.calls.put(&call{number: 1, done: func(r reply) { got = r.data }})
		values := make([]byte, 100)
		l.accept(&wire.Answer{Results: []wire.Result{{Number: 1, Status: wire.Value, Length: 100}}}, values, size)
		if len(got) != 100 || (&got[0] != &values[0]) != copied {
			t.Errorf("of a message of %d bytes: %d bytes, copied: want %v", size, len(got), copied)
		}
	}
}
