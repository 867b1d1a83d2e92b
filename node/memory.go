package node

import (
	"strings"

	"github.com/cachemesh/cachemesh/mesh"
)

// NoMemoryLimit, as Config.MemoryLimit, leaves the runtime's memory limit alone.
const NoMemoryLimit int64 = -1

const (
	// restOfProcess is in the automatic limit for all that is no cache: the
	// program, connections, an embedded NATS, values on their way.
	restOfProcess = 64 << 20
	// mostMemory caps each number, so that sums of them do not overflow.
	mostMemory = 1 << 50
)

// ParseMemoryLimit reads a Config.MemoryLimit as it is written on a command
// line: a size as for ParseSize, "auto" (or nothing) for the default, "off" for
// NoMemoryLimit. Errors are ErrConfig.
func ParseMemoryLimit(s string) (int64, error) {
	switch strings.ToLower(s) {
	case "", "auto":
		return 0, nil
	case "off":
		return NoMemoryLimit, nil
	}
	n, err := ParseSize(s)
	switch {
	case err != nil:
		return 0, configErrorf("memory limit: %v, or auto, or off", err)
	case n == 0: // the zero of the configuration is the default; here it may be meant for off
		return 0, configErrorf("memory limit %q: write auto or off, or a size such as 512MiB", s)
	}
	return n, nil
}

// budget is what the caches may take together, with the defaults of mesh.
func (c Config) budget() (sum int64) {
	for _, spec := range c.Caches {
		owned, replicas := spec.Options.MaxBytes, spec.Options.ReplicaBytes
		if owned == 0 {
			owned = mesh.DefaultMaxBytes
		}
		if replicas == 0 {
			replicas = owned / 8
		}
		for _, n := range []int64{owned, replicas} {
			sum = min(sum+min(max(n, 0), mostMemory), mostMemory)
		}
	}
	return sum
}

// automaticLimit is the limit for a budget, in whole MiB. The default of Go's
// collector is to let a heap grow to twice what lives before it collects, three
// times the budget in all; with this limit it collects earlier.
//
// It does not collect without end. The budgets count what an entry takes beside
// its key and value, so that what lives in full caches is 1.1 times them at most,
// and a collection is due only when the rest up to the limit has been used. And
// should more live than the limit allows, the limit is a soft one: Go bounds the
// collector at half the processor time and lets the heap grow past it.
func automaticLimit(budget int64) int64 {
	limit := budget + budget/4 + restOfProcess
	return limit &^ (1<<20 - 1)
}

// limitMemory gives the runtime the node's limit, until restoreMemory.
func (n *Node) limitMemory() {
	budget, limit := n.cfg.budget(), n.cfg.MemoryLimit
	automatic := limit == 0
	switch {
	case limit < 0, automatic && budget == 0: // caches opened through Mesh have budgets unknown here
		return
	case automatic:
		limit = automaticLimit(budget)
	}
	limit = min(limit, mostMemory)
	total, ok := limits.add(limit, automatic)
	if !ok {
		n.log.Info("the memory limit of this process is set already, and stays", "limit", formatSize(total), "caches", formatSize(budget))
		return
	}
	n.memory = limit
	n.log.Info("soft memory limit of this process", "limit", formatSize(total), "caches", formatSize(budget))
}

// restoreMemory takes the node's limit back, if it has set one. It is called once.
func (n *Node) restoreMemory() {
	if n.memory > 0 {
		limits.remove(n.memory)
	}
}
