package wire

import (
	"bytes"
	"encoding/hex"
	"flag"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files of testdata/golden anew")

type sample struct {
	msg    message
	values [][]byte
}

// samples use every field of every message. Their encodings are frozen: members
// of one protocol version must understand each other whatever their build.
func samples() map[string]sample {
	a, b := Instance{ID: "a", Inc: 1}, Instance{ID: "node-B_2", Inc: 1 << 40}
	records := []Invalidation{
		{Source: a, N: 1, Cache: "users", Kind: ByKey, Key: []byte("42")},
		{Source: a, N: 2, Cache: "users", Kind: ByTag, Key: []byte("\xff\x00.*>")},
		{Source: b, N: math.MaxUint64, Cache: "c", Kind: All},
	}
	applied := []Applied{{Source: a, Upto: 2, Age: 1_500_000}, {Source: b}}
	return map[string]sample{
		"beat": {msg: &Beat{Inc: 5, Nonce: 0x0123456789abcdef, Seq: 300, Heartbeat: 1_000_000, Lease: 5_000_000, Weight: 2,
			Reader: true, Version: "v0.1.0", Hash: 1, Joined: true, Leaving: true, For: 60_000_000, Life: -1, Tenure: 90_000_000,
			Caches:  []CacheState{{Name: "users", Owned: true, For: 59_000_000}, {Name: "new"}},
			Peers:   []PeerState{{Instance: a, Seen: 299, Waits: true, Counts: true}, {Instance: b}},
			Applied: applied}},
		"beat-fence": {msg: &Beat{Inc: 5, Nonce: 1, Seq: 2, Heartbeat: 1_000_000, Lease: 5_000_000, Quorum: 3, Seasoned: true, Fenced: true,
			Peers: []PeerState{{Instance: a, Seen: 2, Waits: true, Counts: true, Grants: true}}}},
		"beat-large": {msg: &Beat{Inc: 5, Nonce: 1, Seq: 2, Heartbeat: 27_000_000, Lease: 108_000_000, Partial: true, Asks: true,
			Peers: []PeerState{{Instance: a, Seen: 2, Waits: true, Counts: true}}, Applied: applied}},
		"confirm-fence": {msg: &Confirm{Inc: 1, To: b, Upto: 23, Crowd: 0x0123456789abcdef}},
		"beat-first":    {msg: &Beat{Inc: 1, Nonce: 1, Seq: 1, Heartbeat: 1_000_000, Lease: 5_000_000}},
		"told":          {msg: &Told{Inc: 1, Records: records}},
		"confirm":       {msg: &Confirm{Inc: 1, To: b, Upto: 23, Also: []uint64{25, 256, 65536, 1 << 32}}},
		"want":          {msg: &Want{Inc: 1, To: b, Have: applied}},
		"tail":          {msg: &Tail{Inc: 1, To: b, Bases: applied, Records: records}},
		"gone":          {msg: &Gone{Inc: math.MaxUint64}},
		"taken":         {msg: &Taken{ID: "a", Nonce: 7}},
		"ask":           {msg: askSample(applied, records)},
		"answer":        {answerSample(), [][]byte{[]byte("first"), nil, []byte("second")}},
		"answer-alone":  {msg: &Answer{Inc: 1, To: 2, Batch: 3}},
		"answer-more":   {msg: &Answer{Inc: 1, To: 2, Batch: 3, Flags: AnswerMore, Results: []Result{{Number: 6, Status: Nothing}}}},
	}
}

func askSample(applied []Applied, records []Invalidation) *Ask {
	return &Ask{Inc: 1, To: 2, Batch: 3, Caches: []string{"users", "c"}, Bases: applied, Records: records,
		Questions: []Question{
			{Number: 1, Kind: AskGet, Key: []byte("42"), Left: 2_000_000},
			{Number: 2, Kind: AskTakeOver, Cache: 1, Key: []byte{0xff, 0}, Left: 1, RuledOut: []string{"x", "y"}, Flags: FlagFresh,
				MaxAge: 1000, Reads: math.MaxUint32, Trace: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
			{Number: 3, Kind: AskPull, Key: []byte("k")},
			{Number: 4, Kind: AskChunk, Transfer: 9, Offset: 262144, Length: 131072},
			{Number: 1, Kind: AskCancel},
		}}
}

func answerSample() *Answer {
	return &Answer{Inc: 1, To: 2, Batch: 3, Results: []Result{
		{Number: 1, Status: Value, Length: 5, Age: 1000, Life: math.MaxInt64, Spent: 20, Flags: FlagHot | FlagLoaded, ETag: "\"v\xff\"",
			Version: 7, Tags: []string{"team", "\xfe\x00"}, Owner: "b"},
		{Number: 2, Status: Failed, Error: "no such table \xff", Life: -1},
		{Number: 3, Status: Value, Length: 6, Life: math.MinInt64},
		{Number: 4, Status: Chunked, Transfer: 9, Size: 64 << 20},
		{Number: 5, Status: NotMine, Instead: "c"},
		{Number: 6, Status: Pulled},
	}}
}

func (s sample) encode(tb testing.TB) []byte {
	tb.Helper()
	if a, ok := s.msg.(*Answer); ok {
		data, err := AppendAnswer(nil, a, s.values...)
		if err != nil {
			tb.Fatal(err)
		}
		return data
	}
	return mustAppend(tb, s.msg)
}

func TestTheBytesOfEveryMessageAreFrozen(t *testing.T) {
	for name, s := range samples() {
		file := filepath.Join("testdata", "golden", name+".hex")
		if *update {
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(hexLines(s.encode(t))), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		golden := unhex(t, strings.Join(strings.Fields(string(text)), ""))
		if data := s.encode(t); !bytes.Equal(data, golden) {
			t.Errorf("%s is encoded as\n%swant\n%s", name, hexLines(data), text)
		}
		if got, err := Decode(golden); err != nil || !reflect.DeepEqual(got, s.msg) {
			t.Errorf("%s is decoded as %+v, %v", name, got, err)
		}
	}
}

// hexLines writes the envelope on a line of its own and 32 bytes on the others.
func hexLines(data []byte) string {
	lines := hex.EncodeToString(data[:headSize]) + "\n"
	for data = data[headSize:]; len(data) > 0; {
		n := min(32, len(data))
		lines += hex.EncodeToString(data[:n]) + "\n"
		data = data[n:]
	}
	return lines
}
