package wire

import (
	"bytes"
	"testing"
)

// hostile are short messages that announce or hold as many elements as they can.
func hostile() map[string][]byte {
	body := func(k kind, prefix []byte, element string, n int) []byte {
		data := append(appendHead(nil, k), prefix...)
		data = appendItemHead(data, majorList, uint64(n))
		return append(data, bytes.Repeat([]byte(element), n)...)
	}
	announced := func(k kind, field byte, n uint64) []byte {
		return appendItemHead(append(appendHead(nil, k), 0xa1, field), majorList, n)
	}
	return map[string][]byte{
		"announced questions":    announced(kindAsk, 5, MaxQuestions),
		"announced results":      announced(kindAnswer, 4, MaxQuestions),
		"announced records":      announced(kindTail, 4, MaxRecords),
		"announced peers":        announced(kindBeat, 15, MaxPeers),
		"2^63 announced":         announced(kindBeat, 15, 1<<63),
		"2^63 caches announced":  announced(kindAsk, 4, 1<<63),
		"2^63 applied announced": announced(kindBeat, 16, 1<<63),
		"empty questions":        body(kindAsk, []byte{0xa1, 5}, "\xa0", MaxQuestions),
		"empty records":          body(kindTail, []byte{0xa1, 4}, "\xa0", MaxRecords),
		"empty peers":            body(kindBeat, []byte{0xa1, 15}, "\xa0", MaxPeers),
		"least questions":        body(kindAsk, []byte{0xa1, 5}, "\xa2\x01\x01\x02\x04", MaxQuestions),
		"least results":          body(kindAnswer, []byte{0xa3, 1, 1, 2, 1, 4}, "\xa2\x01\x01\x02\x05", MaxQuestions),
		"least peers":            body(kindBeat, []byte{0xa1, 15}, "\xa1\x01\x82\x41x\x01", MaxPeers),
		"least records":          body(kindTold, []byte{0xa2, 1, 1, 2}, "\xa4\x01\x82\x41x\x01\x02\x01\x03\x41c\x04\x03", MaxRecords),
		"records that alternate": body(kindTold, []byte{0xa2, 1, 1, 2}, "\xa4\x01\x82\x41x\x01\x02\x01\x03\x41c\x04\x03"+
			"\xa4\x01\x82\x42xx\x01\x02\x01\x03\x42cc\x04\x03", MaxRecords/2),
		"empty tags":    body(kindAnswer, []byte{0xa1, 4, 0x81, 0xa3, 1, 1, 2, 1, 12}, "\x40", MaxTags),
		"least tags":    body(kindAnswer, []byte{0xa1, 4, 0x81, 0xa3, 1, 1, 2, 1, 12}, "\x41x", MaxTags),
		"bytes of 2^63": append(appendHead(nil, kindAsk), 0xa1, 8, 0x5b, 0x80, 0, 0, 0, 0, 0, 0, 0),
	}
}

func TestDecodingAllocatesInProportion(t *testing.T) {
	for name, data := range hostile() {
		limit := uint64(perByte*len(data) + constant)
		got := allocated(0, func() { _, _ = Decode(data) })
		if got > limit {
			t.Errorf("%s: decoding %d bytes allocates %d, more than %d", name, len(data), got, limit)
		}
		t.Logf("%-24s %7d bytes allocate %8d", name, len(data), got)
	}
}

func TestAValueIsNotCopied(t *testing.T) {
	value := make([]byte, 1<<20)
	data, err := AppendAnswer(nil, &Answer{Inc: 1, To: 1, Results: []Result{{Number: 1, Status: Value, Length: 1 << 20}}}, value)
	if err != nil {
		t.Fatal(err)
	}
	if got := allocated(0, func() { _, _, _ = DecodeAnswer(data) }); got > 4<<10 {
		t.Errorf("decoding an answer with a value of 1 MiB allocates %d bytes", got)
	}
}

func TestWritingIntoARoomyBufferAllocatesNothing(t *testing.T) {
	a, r, buf := manyQuestions(16), manyResults(16), make([]byte, 0, 64<<10)
	value := make([]byte, 16*100)
	var err error
	if n := testing.AllocsPerRun(100, func() { buf, err = Append(buf[:0], a) }); n > 0 || err != nil {
		t.Errorf("an Ask: %v allocations, %v", n, err)
	}
	if n := testing.AllocsPerRun(100, func() { buf, err = AppendAnswer(buf[:0], r, value) }); n > 0 || err != nil {
		t.Errorf("an Answer: %v allocations, %v", n, err)
	}
}
