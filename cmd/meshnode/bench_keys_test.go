package main

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestPopularityFollowsZipfsLaw(t *testing.T) {
	const draws, n = 200_000, 1000
	for _, exponent := range []float64{0, 0.8, 1, 1.1, 3} {
		r := rand.New(rand.NewPCG(1, 2))
		p := newPopularity(n, exponent)
		var drawn [n]int
		for range draws {
			drawn[p.rank(r)]++
		}
		sum := 0.0
		for k := range n {
			sum += math.Pow(float64(k+1), -exponent)
		}
		for _, k := range []int{0, 1, 9, n - 1} {
			want := draws * math.Pow(float64(k+1), -exponent) / sum
			if off := math.Abs(float64(drawn[k]) - want); off > 5*math.Sqrt(want)+1 {
				t.Errorf("exponent %v: rank %d was drawn %d times, want about %.0f", exponent, k, drawn[k], want)
			}
		}
	}
	if rank := newPopularity(1, 1.1).rank(rand.New(rand.NewPCG(1, 2))); rank != 0 {
		t.Errorf("of one key, rank %d", rank)
	}
}
