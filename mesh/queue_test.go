package mesh

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestAQueueGivesItsQuestionsInTheirOrder(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		var q queue
		var want []*call
		for range 1000 {
			switch n := r.IntN(10); {
			case n < 5:
				k := new(call)
				if q.has(k) {
					t.Fatal("it has what was never put in")
				}
				q.push(k)
				want = append(want, k)
			case n < 8 && len(want) > 0:
				i := r.IntN(len(want))
				k := want[i]
				want = slices.Delete(want, i, i+1)
				if !q.has(k) || !q.remove(k) || q.has(k) || q.remove(k) {
					t.Fatal("what is in is taken out once")
				}
			case n < 9:
				most := r.IntN(20)
				got := q.take(nil, func(*call) bool { most--; return most >= 0 })
				if !slices.Equal(got, want[:len(got)]) || len(got) < min(most, len(want)) || slices.ContainsFunc(got, q.has) {
					t.Fatal("the oldest are taken first")
				}
				want = want[len(got):]
			case r.IntN(20) == 0:
				q.clear()
				want = nil
			}
			if q.len() != len(want) || !slices.Equal(slices.Collect(q.each), want) {
				t.Fatalf("seed %d: %d questions, want %d", seed, q.len(), len(want))
			}
			if len(q.calls) > 2*q.n+leastQueue {
				t.Fatalf("%d places for %d questions", len(q.calls), q.n)
			}
		}
	}
}

func BenchmarkQueueGivingUp(b *testing.B) {
	const n = 10_000
	calls := make([]call, n)
	b.ReportAllocs()
	for b.Loop() {
		var q queue
		for i := range calls {
			q.push(&calls[i])
		}
		for i := range calls {
			q.remove(&calls[i])
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/question")
}
