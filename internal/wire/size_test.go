package wire

import (
	"strings"
	"testing"
)

func TestAResultTakesTheBytesThatItSays(t *testing.T) {
	for seed := range uint64(500) {
		a, _ := newRandom(seed).answer()
		for i := range a.Results {
			w := writer{}
			w.result(&a.Results[i])
			if got := a.Results[i].Bytes(); got != len(w.buf) {
				t.Fatalf("%+v takes %d bytes, and says %d", a.Results[i], len(w.buf), got)
			}
		}
	}
}

func TestNoQuestionTakesMoreThanItsBound(t *testing.T) {
	name := strings.Repeat("n", MaxToken)
	q := Question{
		Number: 1<<64 - 1, Kind: AskCancel, Cache: MaxCaches, Key: make([]byte, MaxKeyBytes), Left: 1<<63 - 1,
		Flags: 255, MaxAge: 1<<63 - 1, Reads: 1<<32 - 1, Transfer: 1<<64 - 1, Offset: 1<<63 - 1, Length: 1<<63 - 1,
		Trace: strings.Repeat("t", MaxTraceBytes),
	}
	most := QuestionBytes + len(q.Key) + len(q.Trace)
	for range MaxRuledOut {
		q.RuledOut = append(q.RuledOut, name)
		most += NameBytes + len(name)
	}
	w := writer{}
	w.question(&q)
	if len(w.buf) > most {
		t.Errorf("%d bytes, want %d at most", len(w.buf), most)
	}
}
