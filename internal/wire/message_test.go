package wire

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func mustAppend(tb testing.TB, m any) []byte {
	tb.Helper()
	data, err := Append(nil, m)
	if err != nil {
		tb.Fatalf("Append(%T): %v", m, err)
	}
	return data
}

func TestEveryMessageComesBackAsItWas(t *testing.T) {
	for seed := range uint64(300) {
		for _, m := range newRandom(seed).messages() {
			got, err := Decode(mustAppend(t, m))
			if err != nil {
				t.Fatalf("seed %d: %v: %v", seed, m.kind(), err)
			}
			if !reflect.DeepEqual(got, m) {
				t.Fatalf("seed %d: %v\nwent as  %+v\ncame as %+v", seed, m.kind(), m, got)
			}
		}
	}
}

func TestAnswersComeBackWithTheirValues(t *testing.T) {
	for seed := range uint64(300) {
		a, values := newRandom(seed).answer()
		data, err := AppendAnswer([]byte("before"), a, values...)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		data = bytes.TrimPrefix(data, []byte("before"))
		got, joined, err := DecodeAnswer(data)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if !reflect.DeepEqual(got, a) || !bytes.Equal(joined, bytes.Join(values, nil)) {
			t.Fatalf("seed %d: went as %+v, came as %+v", seed, a, got)
		}
		if len(joined) > 0 && &joined[0] != &data[len(data)-len(joined)] {
			t.Fatalf("seed %d: the values are a copy", seed)
		}
		if whole, err := Decode(data); err != nil || !reflect.DeepEqual(whole, a) {
			t.Fatalf("seed %d: Decode gives %+v, %v", seed, whole, err)
		}
	}
}

func TestWhatIsWrittenIsWhatTheLibraryWrites(t *testing.T) {
	for seed := range uint64(300) {
		for _, m := range newRandom(seed).messages() {
			data, library := mustAppend(t, m), libraryEncode(t, m)
			if !bytes.Equal(data[headSize:], library) {
				t.Fatalf("seed %d: %v\nwritten %x\nlibrary %x", seed, m.kind(), data[headSize:], library)
			}
			got, rest, err := libraryDecode(data)
			if err != nil || len(rest) > 0 || !reflect.DeepEqual(got, m) {
				t.Fatalf("seed %d: the library reads %v as %+v, %v", seed, m.kind(), got, err)
			}
		}
	}
}

func TestTheLargestMessagesPass(t *testing.T) {
	longest := strings.Repeat("x", MaxToken)
	who := Instance{ID: longest, Inc: math.MaxUint64}
	peers := slices.Repeat([]PeerState{{Instance: who, Seen: math.MaxUint64}}, MaxPeers)
	records := slices.Repeat([]Invalidation{{Source: who, N: 1, Cache: longest, Kind: ByKey, Key: []byte("k")}}, MaxRecords)
	questions := slices.Repeat([]Question{{Number: 1, Kind: AskGet, Key: make([]byte, 100)}}, MaxQuestions)
	results := slices.Repeat([]Result{{Number: 1, Status: Working}}, MaxQuestions)
	smallest := slices.Repeat([]Question{{Number: 1, Kind: AskChunk}}, MaxQuestions)
	for _, m := range []any{
		&Beat{Inc: 1, Heartbeat: 1, Lease: 1, Peers: peers},
		&Tail{Inc: 1, To: who, Records: records},
		&Tail{Inc: 1, To: who, Records: slices.Repeat([]Invalidation{{Source: Instance{ID: "a", Inc: 1}, N: 1, Cache: "c", Kind: All}}, MaxRecords)},
		&Want{Inc: 1, To: who, Have: slices.Repeat([]Applied{{Source: Instance{ID: "a", Inc: 1}}}, MaxSources)},
		&Beat{Inc: 1, Heartbeat: 1, Lease: 1, Peers: slices.Repeat([]PeerState{{Instance: Instance{ID: "a", Inc: 1}}}, MaxPeers)},
		&Beat{Inc: 1, Heartbeat: 1, Lease: 1, Caches: slices.Repeat([]CacheState{{Name: "a"}}, MaxCaches)},
		&Ask{Inc: 1, To: 1, Caches: []string{"c"}, Questions: questions},
		&Ask{Inc: 1, To: 1, Questions: smallest},
		&Ask{Inc: 1, To: 1, Caches: []string{"c"}, Questions: []Question{{Number: 1, Kind: AskGet, Key: make([]byte, MaxKeyBytes)}}},
		&Answer{Inc: 1, To: 1, Results: results},
	} {
		if got, err := Decode(mustAppend(t, m)); err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%T: %v", m, err)
		}
	}
}

func TestAppendRefusesWhatDecodeWouldRefuse(t *testing.T) {
	who := Instance{ID: "a", Inc: 1}
	question := Question{Number: 1, Kind: AskGet, Key: []byte("k")}
	ask := func(change func(*Question)) *Ask {
		q := question
		change(&q)
		return &Ask{Inc: 1, To: 1, Caches: []string{"c"}, Questions: []Question{q}}
	}
	answer := func(r Result) *Answer { return &Answer{Inc: 1, To: 1, Results: []Result{r}} }
	beat := func(change func(*Beat)) *Beat {
		b := &Beat{Inc: 1, Heartbeat: 1, Lease: 1}
		change(b)
		return b
	}
	told := func(m Invalidation) *Told { return &Told{Inc: 1, Records: []Invalidation{m}} }
	for name, c := range map[string]struct {
		msg  message
		says string
	}{
		"a beat without an incarnation": {beat(func(b *Beat) { b.Inc = 0 }), "incarnation 0"},
		"a heartbeat of nothing":        {beat(func(b *Beat) { b.Heartbeat = 0 }), "heartbeat of 0"},
		"a negative lease":              {beat(func(b *Beat) { b.Lease = -1 }), "lease of -1"},
		"a negative age of a member":    {beat(func(b *Beat) { b.For = -1 }), "for -1"},
		"a weight too large":            {beat(func(b *Beat) { b.Weight = MaxWeight + 1 }), "weight 1025"},
		"a negative weight":             {beat(func(b *Beat) { b.Weight = -1 }), "weight -1"},
		"a negative quorum":             {beat(func(b *Beat) { b.Quorum = -1 }), "quorum -1"},
		"a quorum too large":            {beat(func(b *Beat) { b.Quorum = MaxPeers + 1 }), "quorum 4097"},
		"a long version":                {beat(func(b *Beat) { b.Version = strings.Repeat("v", 300) }), "300 bytes"},
		"a cache with a dot":            {beat(func(b *Beat) { b.Caches = []CacheState{{Name: "a.b"}} }), `"a.b"`},
		"a cache owned since never":     {beat(func(b *Beat) { b.Caches = []CacheState{{Name: "a", For: -5}} }), "-5"},
		"a peer without an ID":          {beat(func(b *Beat) { b.Peers = []PeerState{{Instance: Instance{Inc: 1}}} }), `""`},
		"too many peers":                {beat(func(b *Beat) { b.Peers = make([]PeerState, MaxPeers+1) }), "4097"},
		"an age below zero":             {beat(func(b *Beat) { b.Applied = []Applied{{Source: who, Age: -1}} }), "age of -1"},
		"a record of nobody":            {told(Invalidation{N: 1, Cache: "c", Kind: All}), `""`},
		"a record 0":                    {told(Invalidation{Source: who, Cache: "c", Kind: All}), "record 0"},
		"a record of no cache":          {told(Invalidation{Source: who, N: 1, Kind: All}), `""`},
		"a record of an unknown kind":   {told(Invalidation{Source: who, N: 1, Cache: "c", Kind: 4}), "invalidation 4"},
		"a record of no key":            {told(Invalidation{Source: who, N: 1, Cache: "c", Kind: ByKey}), "0 bytes"},
		"a record of all keys and one":  {told(Invalidation{Source: who, N: 1, Cache: "c", Kind: All, Key: []byte("k")}), "all keys"},
		"told by nobody":                {&Told{}, "incarnation 0"},
		"a confirmation to nobody":      {&Confirm{Inc: 1}, `""`},
		"a confirmation by nobody":      {&Confirm{To: who}, "incarnation 0"},
		"a want of nobody":              {&Want{To: who}, "incarnation 0"},
		"a want to incarnation 0":       {&Want{Inc: 1, To: Instance{ID: "a"}}, "incarnation 0"},
		"a tail to nobody":              {&Tail{Inc: 1}, `""`},
		"a tail of nobody":              {&Tail{To: who}, "incarnation 0"},
		"gone, but who":                 {&Gone{}, "incarnation 0"},
		"a taken ID that is none":       {&Taken{ID: "*"}, `"*"`},
		"an ask of nobody":              {&Ask{To: 1}, "incarnation 0"},
		"an ask of a cache >":           {&Ask{Inc: 1, To: 1, Caches: []string{">"}}, `">"`},
		"a question 0":                  {ask(func(q *Question) { q.Number = 0 }), "number 0"},
		"a question of no kind":         {ask(func(q *Question) { q.Kind = 0 }), "kind 0"},
		"a question of unknown kind":    {ask(func(q *Question) { q.Kind = AskCancel + 1 }), "kind 6"},
		"a question of cache 1 of 1":    {ask(func(q *Question) { q.Cache = 1 }), "cache 1 of 1"},
		"a question of cache -1":        {ask(func(q *Question) { q.Cache = -1 }), "cache -1"},
		"a chunk of cache 1 of 1":       {ask(func(q *Question) { q.Kind, q.Cache = AskChunk, 1 }), "cache 1 of 1"},
		"a question for no key":         {ask(func(q *Question) { q.Key = nil }), "0 bytes"},
		"a question for a long key":     {ask(func(q *Question) { q.Key = make([]byte, MaxKeyBytes+1) }), "65537 bytes"},
		"a question with no time":       {ask(func(q *Question) { q.Left = -1 }), "left -1"},
		"a negative MaxAge":             {ask(func(q *Question) { q.MaxAge = -2 }), "MaxAge -2"},
		"a negative offset":             {ask(func(q *Question) { q.Offset = -3 }), "offset -3"},
		"a negative piece":              {ask(func(q *Question) { q.Length = -4 }), "length -4"},
		"a long trace":                  {ask(func(q *Question) { q.Trace = strings.Repeat("t", 257) }), "257 bytes"},
		"an ID ruled out that is none":  {ask(func(q *Question) { q.RuledOut = []string{"b", "a b"} }), `"a b"`},
		"an answer of nobody":           {&Answer{To: 1}, "incarnation 0"},
		"an answer to nobody":           {&Answer{Inc: 1}, "incarnation 0"},
		"a result 0":                    {answer(Result{Status: Working}), "number 0"},
		"a result of no status":         {answer(Result{Number: 1}), "status 0"},
		"a result of unknown status":    {answer(Result{Number: 1, Status: Pulled + 1}), "status 12"},
		"a value of negative length":    {answer(Result{Number: 1, Status: Value, Length: -1}), "length -1"},
		"a negative age of a value":     {answer(Result{Number: 1, Status: Value, Age: -1}), "age -1"},
		"negative time spent":           {answer(Result{Number: 1, Status: Value, Spent: -1}), "spent -1"},
		"a negative size":               {answer(Result{Number: 1, Status: Chunked, Size: -1}), "size -1"},
		"ask x.y instead":               {answer(Result{Number: 1, Status: NotMine, Instead: "x.y"}), `"x.y"`},
		"an owner that is none":         {answer(Result{Number: 1, Status: Value, Owner: "x.y"}), `"x.y"`},
		"an empty tag":                  {answer(Result{Number: 1, Status: Value, Tags: []string{""}}), "0 bytes"},
	} {
		got, err := Append([]byte("before"), c.msg)
		if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), c.says) || string(got) != "before" {
			t.Errorf("%s: Append gives %q, %v; want a word of %q", name, got, err, c.says)
		}
		data := append(appendHead(nil, c.msg.kind()), libraryEncode(t, c.msg)...)
		if got, err := Decode(data); !errors.Is(err, ErrMalformed) || got != nil {
			t.Errorf("%s: Decode gives %+v, %v", name, got, err)
		}
	}
	if _, err := Append(nil, Beat{}); !errors.Is(err, ErrMalformed) {
		t.Errorf("Append of a Beat that is no pointer: %v", err)
	}
}

func TestLengthsThatDoNotAddUpToTheValuesAreRefused(t *testing.T) {
	for _, c := range []struct {
		lengths []int64
		value   string
	}{
		{[]int64{1}, ""}, {[]int64{}, "x"}, {[]int64{0}, "x"}, {[]int64{1, 1}, "x"}, {[]int64{1, 1}, "xxx"},
		{[]int64{math.MaxInt64, math.MaxInt64, 3}, "x"},
	} {
		a := &Answer{Inc: 1, To: 2}
		for _, n := range c.lengths {
			a.Results = append(a.Results, Result{Number: 1, Status: Value, Length: n})
		}
		if got, err := AppendAnswer(nil, a, []byte(c.value)); !errors.Is(err, ErrMalformed) || len(got) > 0 {
			t.Errorf("lengths %v for %q: AppendAnswer gives %x, %v", c.lengths, c.value, got, err)
		}
		w := writer{appendHead(nil, kindAnswer)}
		w.answer(a)
		if c.value != "" {
			w.string(c.value)
		}
		if got, values, err := DecodeAnswer(w.buf); !errors.Is(err, ErrMalformed) || got != nil || values != nil {
			t.Errorf("lengths %v for %q: DecodeAnswer gives %+v, %q, %v", c.lengths, c.value, got, values, err)
		}
	}
}
