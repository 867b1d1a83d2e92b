package mesh

import (
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// isolation is what this member knows of whether it can hear the mesh at all.
type isolation struct {
	cut       atomic.Int64 // since when the connection to NATS is lost; 0: it is not
	displaced atomic.Int64 // since when another live member has its ID; 0: none has
	sign      atomic.Int64 // when NATS last showed that it is there, by anything but questions and answers
	probing   atomic.Bool  // NATS has been asked for a sign
}

// leastSilence is for how long a machine may be too busy to hear NATS.
const leastSilence = time.Second

// silenceOf is after how long without a sign of NATS the connection counts as cut: it
// carries the heartbeats of all, this member's own included.
func silenceOf(heartbeat time.Duration) time.Duration { return max(heartbeat*5/2, leastSilence) }

// cutOff is for how long this member has not heard the mesh: since the connection to NATS
// was lost, or went silent without being lost, or since this member was displaced.
func (m *Mesh) cutOff(now int64) (d time.Duration) {
	if since := m.isolation.cut.Load(); since != 0 {
		d = time.Duration(now - since)
	}
	if since := m.isolation.displaced.Load(); since != 0 {
		d = max(d, time.Duration(now-since))
	}
	if silent := time.Duration(now - max(m.isolation.sign.Load(), m.heard.Load())); silent > silenceOf(m.cfg.Heartbeat) {
		d = max(d, silent)
	}
	return d
}

// connected reports whether the connection to NATS is known to be there, without
// waiting for it: a connection that is stuck holds its lock for seconds.
func (m *Mesh) connected() bool { return m.isolation.cut.Load() == 0 }

// listenFor asks NATS for a sign where none has come of itself lately, as with nobody else
// in the mesh over a connection without echo. It does not wait.
func (m *Mesh) listenFor(now int64) {
	i := &m.isolation
	if time.Duration(now-max(i.sign.Load(), m.heard.Load())) < m.cfg.Heartbeat || !i.probing.CompareAndSwap(false, true) {
		return
	}
	go func() {
		defer i.probing.Store(false)
		if m.nc.FlushTimeout(silenceOf(m.cfg.Heartbeat)) == nil {
			for was := i.sign.Load(); now > was && !i.sign.CompareAndSwap(was, now); was = i.sign.Load() {
			} // it has answered what was asked after now
		}
	}()
}

// follow takes note of the state of the connection.
func (m *Mesh) follow(is nats.Status, now int64) {
	if is == nats.CONNECTED {
		m.isolation.cut.Store(0)
	} else {
		m.isolation.cut.CompareAndSwap(0, now)
	}
}
