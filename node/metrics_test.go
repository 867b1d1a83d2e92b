package node

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cachemesh/cachemesh/mesh"
)

func TestMetricsShowTheCountersAndNeverAKey(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a-secret-key"), []byte("value"), 0o644); err != nil {
		t.Fatal(err)
	}
	cfg := embedded
	cfg.ID, cfg.HTTP = "one", "0"
	cfg.Caches = []CacheSpec{{Name: "docs", Origin: "file:" + dir}}
	owner := start(t, cfg)
	reader := start(t, Config{NATS: owner.URL(), Reader: true})
	cache, err := mesh.NewCache[[]byte](reader.Mesh(), "docs", nil, mesh.Options{ReplicaBytes: -1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for range 3 {
		if _, err := cache.Get(ctx, "a-secret-key"); err != nil {
			t.Fatal(err)
		}
	}
	_, body := httpGet(t, "http://"+owner.HTTPAddr()+"/metrics")
	for _, want := range []string{
		`cachemesh_info{member="one",mesh="default",version="` + mesh.Version + `"} 1`,
		`cachemesh_ready 1`,
		`cachemesh_members 2`,
		`cachemesh_loads_total{cache="docs"} 1`,
		`cachemesh_served_total{cache="docs"} 3`,
		`cachemesh_hits_total{cache="docs",kind="owned"} `,
		`cachemesh_hits_total{cache="docs",kind="replica"} `,
		`cachemesh_entries{cache="docs",kind="owned"} 1`,
		`cachemesh_memory_bytes{cache="docs",kind="owned"} `,
		`# TYPE cachemesh_memory_bytes gauge`,
		`# TYPE cachemesh_loads_total counter`,
		`go_goroutines `,
		`process_start_time_seconds `,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(body, "a-secret-key") {
		t.Error("a key is shown")
	}
}

func TestTheNamesOfMetricsKeepToTheRules(t *testing.T) {
	name := regexp.MustCompile(`fqName: "(cachemesh_[a-z_]+)"`)
	check := func(desc *prometheus.Desc, kind prometheus.ValueType) {
		text := desc.String()
		found := name.FindStringSubmatch(text)
		if found == nil {
			t.Errorf("bad name: %s", text)
			return
		}
		if total := strings.HasSuffix(found[1], "_total"); total != (kind == prometheus.CounterValue) {
			t.Errorf("%s: counters, and they alone, end in _total", found[1])
		}
	}
	for _, m := range meshMetrics {
		check(m.desc, m.kind)
	}
	for _, m := range cacheMetrics {
		check(m.desc, m.kind)
	}
}

// These two fail when a counter comes to mesh and not here.
func TestEveryCounterOfACacheIsAMetric(t *testing.T) { everyFieldIsShown(t, cacheMetrics) }

func TestEveryCounterOfAMemberIsAMetric(t *testing.T) {
	// The member is a label of cachemesh_info, the caches have their own metrics.
	everyFieldIsShown(t, meshMetrics, "Member", "Caches")
}

// everyFieldIsShown sets one field of a T after the other, and finds the metric
// that shows it.
func everyFieldIsShown[T any](t *testing.T, metrics []metric[T], but ...string) {
	t.Helper()
	for field := range reflect.TypeFor[T]().Fields() {
		if slices.Contains(but, field.Name) {
			continue
		}
		var s T
		switch f := reflect.ValueOf(&s).Elem().FieldByIndex(field.Index); {
		case f.CanUint():
			f.SetUint(1)
		case f.CanInt():
			f.SetInt(1)
		case f.CanFloat():
			f.SetFloat(1)
		case f.Kind() == reflect.Bool:
			f.SetBool(true)
		default:
			t.Errorf("%T.%s is a %v: this test cannot tell whether a metric shows it", s, field.Name, field.Type)
			continue
		}
		shown := 0
		for _, m := range metrics {
			if m.value(s) == 1 {
				shown++
			}
		}
		if shown != 1 {
			t.Errorf("%T.%s is shown by %d metrics: list it in metrics.go, once", s, field.Name, shown)
		}
	}
}

func TestACollectorMeetsItsDescription(t *testing.T) {
	c := collector{
		stats: func() (mesh.Stats, bool) {
			return mesh.Stats{Member: "one", Caches: map[string]mesh.CacheStats{"a": {}, "b": {}}}, true
		},
		ready: func() error { return nil },
	}
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(c)
	if _, err := r.Gather(); err != nil {
		t.Error(err)
	}
}
