package node

import (
	"io"
	"net/http"
	"testing"
	"time"
)

// BenchmarkScrape reads /metrics of a node with one cache, over HTTP.
func BenchmarkScrape(b *testing.B) {
	cfg := embedded
	cfg.HTTP = "0"
	cfg.Caches = []CacheSpec{{Name: "load", Origin: "synthetic:100"}}
	n := start(b, cfg)
	url, client := "http://"+n.HTTPAddr()+"/metrics", &http.Client{Timeout: 10 * time.Second}
	b.ReportAllocs()
	for b.Loop() {
		r, err := client.Get(url)
		if err != nil {
			b.Fatal(err)
		}
		size, err := io.Copy(io.Discard, r.Body)
		if err := r.Body.Close(); err != nil {
			b.Fatal(err)
		}
		if err != nil || size == 0 || r.StatusCode != http.StatusOK {
			b.Fatal(r.Status, size, err)
		}
	}
}
