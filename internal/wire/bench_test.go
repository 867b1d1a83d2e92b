package wire

import (
	"bytes"
	"fmt"
	"testing"
)

func manyQuestions(n int) *Ask {
	a := &Ask{Inc: 1 << 40, To: 1 << 40, Batch: 1000, Caches: []string{"users"}}
	for i := range n {
		a.Questions = append(a.Questions, Question{
			Number: uint64(100_000 + i), Kind: AskGet, Key: fmt.Appendf(nil, "customer/%08d", i), Left: 2_000_000,
		})
	}
	return a
}

// manyResults answers manyQuestions with values of 100 bytes.
func manyResults(n int) *Answer {
	a := &Answer{Inc: 1 << 40, To: 1 << 40, Batch: 1000}
	for i := range n {
		a.Results = append(a.Results, Result{
			Number: uint64(100_000 + i), Status: Value, Length: 100, Age: 40_000_000, Life: 200_000_000, Spent: 30,
		})
	}
	return a
}

func BenchmarkAsk(b *testing.B) {
	for _, n := range []int{1, 16} {
		a := manyQuestions(n)
		data := mustAppend(b, a)
		b.Run(fmt.Sprintf("write/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			buf := make([]byte, 0, 64<<10)
			for b.Loop() {
				buf, _ = Append(buf[:0], a)
			}
		})
		b.Run(fmt.Sprintf("read/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = DecodeAsk(data)
			}
		})
		b.Run(fmt.Sprintf("write-library/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			buf := bytes.NewBuffer(make([]byte, 0, 64<<10))
			for b.Loop() {
				buf.Reset()
				_ = encoder.MarshalToBuffer(a, buf)
			}
		})
		b.Run(fmt.Sprintf("read-library/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = libraryDecoder.Unmarshal(data[headSize:], new(Ask))
			}
		})
	}
}

func BenchmarkAnswer(b *testing.B) {
	for _, n := range []int{1, 16} {
		a, value := manyResults(n), make([]byte, 100*n)
		data, err := AppendAnswer(nil, a, value)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("write/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			buf := make([]byte, 0, 64<<10)
			for b.Loop() {
				buf, _ = AppendAnswer(buf[:0], a, value)
			}
		})
		b.Run(fmt.Sprintf("read/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _, _ = DecodeAnswer(data)
			}
		})
		b.Run(fmt.Sprintf("read-library/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = libraryDecoder.UnmarshalFirst(data[headSize:], new(Answer))
			}
		})
	}
}

func BenchmarkBeat(b *testing.B) {
	m := &Beat{Inc: 1, Nonce: 1 << 60, Seq: 1000, Heartbeat: 1_000_000, Lease: 5_000_000, Joined: true, For: 1 << 40}
	for i := range 64 {
		who := Instance{ID: fmt.Sprintf("member-%03d", i), Inc: 1 << 40}
		m.Peers = append(m.Peers, PeerState{Instance: who, Seen: 1000, Waits: true, Counts: true})
		m.Applied = append(m.Applied, Applied{Source: who, Upto: 1000, Age: 1 << 30})
	}
	data := mustAppend(b, m)
	b.Run("write", func(b *testing.B) {
		b.ReportAllocs()
		buf := make([]byte, 0, 64<<10)
		for b.Loop() {
			buf, _ = Append(buf[:0], m)
		}
	})
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = Decode(data)
		}
	})
}
