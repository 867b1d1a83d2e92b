package main

// benchJSON is a result as "bench --json" prints it. Durations are in seconds.
type benchJSON struct {
	Mesh        string  `json:"mesh"`
	Cache       string  `json:"cache"`
	Owners      int     `json:"owners"`
	Callers     int     `json:"callers"`
	Keys        int     `json:"keys"`
	Zipf        float64 `json:"zipf"`
	Invalidate  float64 `json:"invalidate_percent"` // of the operations, as asked for
	Fresh       float64 `json:"fresh_percent"`
	Replicas    bool    `json:"replicas"`
	Seconds     float64 `json:"seconds"`
	Interrupted bool    `json:"interrupted"`

	OperationsPerSecond float64                  `json:"operations_per_second"`
	BytesPerSecond      float64                  `json:"bytes_per_second"`
	Bytes               uint64                   `json:"bytes"`
	MeanBytes           float64                  `json:"mean_value_bytes"`
	Reads               latencyJSON              `json:"reads"` // answered; "not found" is an answer
	ReadHistogram       []bucketJSON             `json:"read_histogram"`
	Sources             map[string]latencyJSON   `json:"sources"` // of the values read
	NotFound            latencyJSON              `json:"not_found"`
	Stale               uint64                   `json:"stale"`
	Invalidations       latencyJSON              `json:"invalidations"`
	Errors              map[string]benchFailJSON `json:"errors"`
	Unfinished          int                      `json:"unfinished"`
}

type latencyJSON struct {
	Count uint64  `json:"count"`
	P50   float64 `json:"p50_seconds"`
	P90   float64 `json:"p90_seconds"`
	P99   float64 `json:"p99_seconds"`
	P999  float64 `json:"p999_seconds"`
	Max   float64 `json:"max_seconds"`
}

// bucketJSON counts what took up to UpTo, and longer than the bucket before.
type bucketJSON struct {
	UpTo  float64 `json:"up_to_seconds"`
	Count uint64  `json:"count"`
}

type benchFailJSON struct {
	Count uint64 `json:"count"`
	First string `json:"first"`
}

func (r *benchResult) json() benchJSON {
	reads := r.reads()
	out := benchJSON{
		Mesh: r.mesh, Cache: r.cache, Owners: r.owners, Callers: r.callers, Keys: r.keys, Zipf: r.zipf, Invalidate: r.invalidate, Fresh: r.fresh, Replicas: r.replicas,
		Seconds: r.elapsed.Seconds(), Interrupted: r.interrupted,
		OperationsPerSecond: r.perSecond(r.inTime.operations()), BytesPerSecond: r.perSecond(r.inTime.bytes), Bytes: r.bytes, MeanBytes: r.meanBytes(),
		Reads: reads.json(), ReadHistogram: []bucketJSON{}, Sources: map[string]latencyJSON{},
		NotFound: r.notFound.json(), Stale: r.stale, Invalidations: r.invalidations.json(),
		Errors: map[string]benchFailJSON{}, Unfinished: r.unfinished,
	}
	for _, bar := range reads.histogram() {
		out.ReadHistogram = append(out.ReadHistogram, bucketJSON{bar.top.Seconds(), bar.n})
	}
	for _, s := range sources {
		out.Sources[s.source.String()] = r.bySource[s.source].json()
	}
	for kind, f := range r.failed {
		out.Errors[kind] = benchFailJSON{f.n, oneLine(f.first)}
	}
	return out
}

func (l *latencies) json() latencyJSON {
	q := func(q float64) float64 { return l.quantile(q).Seconds() }
	return latencyJSON{l.n, q(0.5), q(0.9), q(0.99), q(0.999), l.max.Seconds()}
}
