package mesh

import (
	"slices"
	"testing"
)

func TestAQuestionThatIsGivenUpBeforeItIsAskedIsNotAsked(t *testing.T) {
	m := &Mesh{host: &host{}}
	m.host.view.Store(&view{incs: map[string]uint64{"a": 1}})
	l := &link{m: m, id: "a", wake: make(chan struct{}, 1)}
	given, wanted := new(call), new(call)
	l.forget(given)
	l.enqueue(0, given, wanted)
	if !slices.Equal(l.queue, []*call{wanted}) {
		t.Errorf("%d questions are to be sent, want the second alone", len(l.queue))
	}
	l.forget(wanted)
	if len(l.queue) != 0 {
		t.Error("what was given up since is still to be sent")
	}
}
