package node

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/cachemesh/cachemesh/mesh"
)

// registry holds the metrics of one node, and of its process. It is the node's
// own: a program that has a default registry keeps it to itself.
func registry(n *Node) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collector{stats: n.stats, ready: n.Ready, mesh: n.cfg.Mesh},
	)
	return r
}

// collector reads the statistics of the mesh when it is scraped; between
// scrapes it costs nothing. Labels are names of caches and fixed words, never
// keys: their number is bounded by the configuration.
type collector struct {
	stats func() (s mesh.Stats, ok bool) // not ok: not joined yet
	ready func() error
	mesh  string // its name
}

// Metrics have the names cachemesh_NAME_UNIT, and _total when they only grow.
var (
	infoMetric = prometheus.NewDesc("cachemesh_info",
		"The member behind these metrics, always 1.", []string{"mesh", "member", "version"}, nil)
	readyMetric = prometheus.NewDesc("cachemesh_ready",
		"1 while the node is connected to NATS and not leaving, as /readyz says.", nil, nil)
)

// metric is one number of a T: of a mesh.Stats or a mesh.CacheStats.
type metric[T any] struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(T) float64
}

func meshMetric[N uint64 | int64 | int](name, help string, kind prometheus.ValueType, value func(mesh.Stats) N) metric[mesh.Stats] {
	return metric[mesh.Stats]{
		prometheus.NewDesc("cachemesh_"+name, help, nil, nil), kind,
		func(s mesh.Stats) float64 { return float64(value(s)) },
	}
}

// cacheMetric has the label cache, and those in fixed.
func cacheMetric[N uint64 | int64](name, help string, fixed prometheus.Labels, value func(mesh.CacheStats) N) metric[mesh.CacheStats] {
	kind := prometheus.CounterValue
	if _, gauge := any(N(0)).(int64); gauge { // the numbers of now are signed in mesh.CacheStats
		kind = prometheus.GaugeValue
	}
	return metric[mesh.CacheStats]{
		prometheus.NewDesc("cachemesh_"+name, help, []string{"cache"}, fixed), kind,
		func(s mesh.CacheStats) float64 { return float64(value(s)) },
	}
}

var (
	owned   = prometheus.Labels{"kind": "owned"}
	replica = prometheus.Labels{"kind": "replica"}
)

var meshMetrics = []metric[mesh.Stats]{
	meshMetric("members", "Live members that this one counts, itself included.", prometheus.GaugeValue,
		func(s mesh.Stats) int { return s.Members }),
	meshMetric("fenced", "1 while this member hears no quorum: every read is a load, and nothing is kept.", prometheus.GaugeValue,
		func(s mesh.Stats) int {
			if s.Fenced {
				return 1
			}
			return 0
		}),
	meshMetric("displaced", "1 while another live member has this one's ID: it is a mesh of its own.", prometheus.GaugeValue,
		func(s mesh.Stats) int {
			if s.Displaced {
				return 1
			}
			return 0
		}),
	meshMetric("invalidations_total", "Invalidations begun on this member.", prometheus.CounterValue,
		func(s mesh.Stats) uint64 { return s.Invalidations }),
	meshMetric("question_messages_total", "Messages with questions to other members.", prometheus.CounterValue,
		func(s mesh.Stats) uint64 { return s.Batches }),
	meshMetric("questions_total", "Questions to other members; several travel in one message.", prometheus.CounterValue,
		func(s mesh.Stats) uint64 { return s.Questions }),
	meshMetric("unreadable_messages_total", "Messages dropped because they could not be read.", prometheus.CounterValue,
		func(s mesh.Stats) uint64 { return s.Dropped }),
	meshMetric("memory_drops_total", "Times that all values were dropped, because what had been missed could not be told.", prometheus.CounterValue,
		func(s mesh.Stats) uint64 { return s.Drops }),
	meshMetric("handed_over_values_total", "Values offered to heirs while leaving.", prometheus.CounterValue,
		func(s mesh.Stats) uint64 { return s.HandedOver }),
}

var cacheMetrics = []metric[mesh.CacheStats]{
	cacheMetric("reads_total", "Reads of one key by callers here, requests of NATS clients included.", nil,
		func(s mesh.CacheStats) uint64 { return s.Gets }),
	cacheMetric("hits_total", "Reads answered from this member's memory.", owned,
		func(s mesh.CacheStats) uint64 { return s.Hits }),
	cacheMetric("hits_total", "Reads answered from this member's memory.", replica,
		func(s mesh.CacheStats) uint64 { return s.ReplicaHits }),
	cacheMetric("stale_answers_total", "Reads answered with a value past its TTL.", nil,
		func(s mesh.CacheStats) uint64 { return s.StaleAnswers }),
	cacheMetric("coalesced_reads_total", "Reads that joined a load or a fetch under way.", nil,
		func(s mesh.CacheStats) uint64 { return s.Coalesced }),
	cacheMetric("fetches_total", "Questions to other members for a value.", nil,
		func(s mesh.CacheStats) uint64 { return s.Fetches }),
	cacheMetric("fetches_redirected_total", "Fetches answered with another member to ask.", nil,
		func(s mesh.CacheStats) uint64 { return s.Redirects }),
	cacheMetric("fetches_unanswered_total", "Fetches whose member could not be reached or could not serve.", nil,
		func(s mesh.CacheStats) uint64 { return s.Unreached }),
	cacheMetric("fetches_hedged_total", "Fetches that asked a second member, because the first did not react in time.", nil,
		func(s mesh.CacheStats) uint64 { return s.Hedges }),
	cacheMetric("served_total", "Questions of other members for a value.", nil,
		func(s mesh.CacheStats) uint64 { return s.Served }),
	cacheMetric("loads_total", "Loads from the origin.", nil,
		func(s mesh.CacheStats) uint64 { return s.Loads }),
	cacheMetric("loaded_keys_total", "Keys in loads; one load may be of several.", nil,
		func(s mesh.CacheStats) uint64 { return s.KeysLoaded }),
	cacheMetric("refreshes_total", "Loads begun behind a read that was answered from memory.", nil,
		func(s mesh.CacheStats) uint64 { return s.Refreshes }),
	cacheMetric("not_modified_loads_total", "Loads that found the held value still right.", nil,
		func(s mesh.CacheStats) uint64 { return s.NotModified }),
	cacheMetric("older_version_loads_total", "Loads that brought an older version than the one held.", nil,
		func(s mesh.CacheStats) uint64 { return s.OlderVersions }),
	cacheMetric("load_errors_total", `Loads that failed, "not found" included.`, nil,
		func(s mesh.CacheStats) uint64 { return s.LoadErrors }),
	cacheMetric("loads_queued_total", "Loads that had to wait for their turn.", nil,
		func(s mesh.CacheStats) uint64 { return s.LoadsQueued }),
	cacheMetric("last_resort_loads_total", "Loads made here because no owner could be reached.", nil,
		func(s mesh.CacheStats) uint64 { return s.LastResort }),
	cacheMetric("bypassed_reads_total", "Reads answered by a load that nobody kept, because no quorum was heard.", nil,
		func(s mesh.CacheStats) uint64 { return s.Bypassed }),
	cacheMetric("loads_in_progress", "Loads under way.", nil,
		func(s mesh.CacheStats) int64 { return s.LoadsUnderWay }),
	cacheMetric("sets_total", "Values set by callers here.", nil,
		func(s mesh.CacheStats) uint64 { return s.Sets }),
	cacheMetric("takeovers_total", "Questions to a previous owner before a load.", nil,
		func(s mesh.CacheStats) uint64 { return s.TakeOvers }),
	cacheMetric("takeovers_spared_loads_total", "Loads that a previous owner's value spared.", nil,
		func(s mesh.CacheStats) uint64 { return s.TakenOver }),
	cacheMetric("takeovers_served_total", "Questions of new owners, asked here.", nil,
		func(s mesh.CacheStats) uint64 { return s.TakeOversServed }),
	cacheMetric("replicas_kept_total", "Hot values of other owners that were kept here.", nil,
		func(s mesh.CacheStats) uint64 { return s.Replicas }),
	cacheMetric("hot_grants_total", "Values given to other members as hot, to be kept as replicas.", nil,
		func(s mesh.CacheStats) uint64 { return s.Grants }),
	cacheMetric("evictions_total", "Values displaced by others.", nil,
		func(s mesh.CacheStats) uint64 { return s.Evictions }),
	cacheMetric("rejected_values_total", "Values that others displaced before anybody had read them again.", nil,
		func(s mesh.CacheStats) uint64 { return s.Rejected }),
	cacheMetric("discarded_values_total", "Values not kept because an invalidation overtook them.", nil,
		func(s mesh.CacheStats) uint64 { return s.Discarded }),
	cacheMetric("entries", "Values in memory.", owned,
		func(s mesh.CacheStats) int64 { return s.Entries }),
	cacheMetric("entries", "Values in memory.", replica,
		func(s mesh.CacheStats) int64 { return s.ReplicaEntries }),
	cacheMetric("memory_bytes", "Memory that values take.", owned,
		func(s mesh.CacheStats) int64 { return s.Bytes }),
	cacheMetric("memory_bytes", "Memory that values take.", replica,
		func(s mesh.CacheStats) int64 { return s.ReplicaBytes }),
}

// Describe tells the registry what there is.
func (c collector) Describe(ch chan<- *prometheus.Desc) {
	ch <- infoMetric
	ch <- readyMetric
	for _, m := range meshMetrics {
		ch <- m.desc
	}
	for _, m := range cacheMetrics {
		ch <- m.desc
	}
}

// Collect reads the statistics.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	ready := 0.0
	if c.ready() == nil {
		ready = 1
	}
	ch <- prometheus.MustNewConstMetric(readyMetric, prometheus.GaugeValue, ready)
	s, ok := c.stats()
	if !ok {
		return
	}
	ch <- prometheus.MustNewConstMetric(infoMetric, prometheus.GaugeValue, 1, c.mesh, s.Member, mesh.Version)
	for _, m := range meshMetrics {
		ch <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(s))
	}
	for name, cache := range s.Caches {
		for _, m := range cacheMetrics {
			ch <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(cache), name)
		}
	}
}
