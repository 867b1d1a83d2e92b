package mesh

import (
	"slices"
	"testing"

	"github.com/cachemesh/cachemesh/internal/wire"
)

func TestAQuestionThatIsGivenUpBeforeItIsAskedIsNotAsked(t *testing.T) {
	m := &Mesh{host: &host{}}
	m.host.view.Store(&view{incs: map[string]uint64{"a": 1}})
	l := &link{m: m, id: "a", wake: make(chan struct{}, 1)}
	given, wanted := new(call), new(call)
	l.forget(given)
	l.enqueue(0, given, wanted)
	if !slices.Equal(slices.Collect(l.queue.each), []*call{wanted}) {
		t.Errorf("%d questions are to be sent, want the second alone", l.queue.len())
	}
	l.forget(wanted)
	if l.queue.len() != 0 {
		t.Error("what was given up since is still to be sent")
	}
}

func TestWhatHasEndedIsNotGivenUp(t *testing.T) {
	l := &link{m: &Mesh{clock: newClock(false), host: &host{}}, wake: make(chan struct{}, 1)}
	ends := 0
	var calls []*call
	ask := &wire.Ask{}
	for i := range 3 {
		k := &call{number: uint64(i + 1), kind: wire.AskTakeOver, done: func(reply) { ends++ }}
		calls = append(calls, k)
		l.calls.put(k)
		ask.Questions = append(ask.Questions, wire.Question{Number: k.number, Kind: k.kind})
	}
	calls[1].again = true
	l.queue.push(calls[1]) // to be repeated
	l.forget(calls[2])
	l.giveUp(ask)
	l.giveUp(ask)
	if ends != 2 || l.calls.len() != 0 || l.queue.has(calls[1]) {
		t.Errorf("%d ends, want 2; %d are under way still", ends, l.calls.len())
	}
}

func TestWhoSaysForEverToBeAtWorkIsWaitedForNoLongerThanALoadMayTake(t *testing.T) {
	k := &call{began: 1000}
	now := k.began
	for range 100 {
		if k.works(now, probeAfter); k.due <= now {
			t.Fatal("it is due at once")
		}
		if now += int64(probeAfter) / 2; k.due <= now {
			break
		}
	}
	if late := now - k.began - int64(k.limit()); late < 0 || late > int64(probeAfter) {
		t.Errorf("it is looked at %d ns after its time", late)
	}
}

func TestPiecesAreAskedOfTheIncarnationThatHasAnnouncedThem(t *testing.T) {
	m := &Mesh{clock: newClock(false), host: &host{}}
	m.message.Store(64 << 10)
	m.host.view.Store(&view{incs: map[string]uint64{"a": 8}}) // it has been restarted since
	l := &link{m: m, id: "a", wake: make(chan struct{}, 1)}
	k := &call{core: &core{opts: Options{MaxValueBytes: 1 << 20}}, number: 1}
	l.pullPieces(k, reply{result: wire.Result{Size: 1 << 20, Transfer: 3}}, 7)
	n := 0
	for piece := range l.queue.each {
		if n++; piece.kind != wire.AskChunk || piece.inc != 7 {
			t.Errorf("a %v is asked of incarnation %d", piece.kind, piece.inc)
		}
	}
	if n != piecesInFlight {
		t.Errorf("%d pieces are asked for", n)
	}
}
