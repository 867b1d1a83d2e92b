package node

import (
	"math"
	"runtime/debug"
	"sync"
)

// limits is what the nodes of this process have set.
var limits memoryLimits

// memoryLimits adds up the limits of the nodes that run in one process: the
// runtime has one limit for all of them, and each counts on its own.
type memoryLimits struct {
	mu     sync.Mutex // guards the fields below, and the runtime's limit while nodes use it
	nodes  int        // how many have set a limit
	sum    int64      // of theirs: what the runtime has been given
	before int64      // the runtime's without them
}

// add puts a node's limit on top of the others', gives the runtime the sum and
// returns it. Before a limit that somebody else has set, by GOMEMLIMIT or in the
// program, an automatic one gives way: add returns theirs then, and false.
// GOMEMLIMIT=off cannot be told from none.
func (l *memoryLimits) add(limit int64, automatic bool) (total int64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	current := debug.SetMemoryLimit(-1) // changes nothing
	ours := l.nodes > 0 && current == l.sum
	if automatic && !ours && current != math.MaxInt64 {
		return current, false
	}
	if !ours {
		l.before = current
	}
	l.nodes++
	l.sum += limit
	debug.SetMemoryLimit(l.sum)
	return l.sum, true
}

// remove takes a node's limit off the sum; after the last one's the runtime has
// again what it had before. What somebody else has set meanwhile stays.
func (l *memoryLimits) remove(limit int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ours := debug.SetMemoryLimit(-1) == l.sum
	l.nodes--
	l.sum -= limit
	switch {
	case !ours:
	case l.nodes == 0:
		debug.SetMemoryLimit(l.before)
	default:
		debug.SetMemoryLimit(l.sum)
	}
}
