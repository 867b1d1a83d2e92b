package mesh

import (
	"time"

	"github.com/cachemesh/cachemesh/internal/roster"
	"github.com/cachemesh/cachemesh/internal/wire"
)

// review looks at what is due: it repeats questions, or gives a member up. It
// says when to look again, and whether there is nothing under way.
func (l *link) review() (next time.Duration, idle bool) {
	now := l.m.clock.now()
	l.mu.Lock()
	l.calls.trim()
	if l.queue.len()+l.calls.len()+len(l.answers) == 0 {
		l.looks = later(now, time.Hour)
		l.mu.Unlock()
		return time.Hour, true
	}
	soonest := now + int64(leastPatience)
	if l.queue.len() > 0 && l.m.connected() {
		soonest = now + int64(ackPatience)
	}
	var due []*call
	for k := range l.calls.each {
		if k.due <= now {
			k.held.Store(true)
			due = append(due, k)
		} else {
			soonest = min(soonest, k.due)
		}
	}
	// What is queued while nothing can be sent must end as well.
	for k := range l.queue.each {
		if k.due <= now && !k.again {
			k.held.Store(true)
			due = append(due, k)
		}
	}
	if at := l.pingAt(); at <= now {
		l.pinged, l.pings = now, true
	} else {
		soonest = min(soonest, at)
	}
	pings := l.pings
	l.looks = soonest
	l.mu.Unlock()
	if pings {
		l.nudge() // a connection that is stuck must hold up nobody here
	}
	if len(due) > 0 {
		soonest = min(soonest, l.judge(due, now))
	}
	return time.Duration(max(soonest-now, int64(time.Millisecond))), false
}

// pingAt is when to ping the member for what is on its way; forever: not. The lock is held.
func (l *link) pingAt() int64 {
	p := &l.patience
	if len(p.unacked) == 0 || p.unacked[0].at <= l.pinged || !l.m.connected() {
		return forever
	}
	return p.unacked[0].at + int64(min(max(pingAfter, p.trip+4*p.spread), mostPatience))
}

// ping sends a batch without questions, if one is due and nothing else has been sent since: what
// comes back is "no responders" where nobody is there, and else a sign of the member.
func (l *link) ping() {
	l.mu.Lock()
	due := l.pings && l.sentAt < l.pinged && !l.closed
	l.pings = false
	l.mu.Unlock()
	if !due {
		return
	}
	data, err := wire.Append(nil, &wire.Ask{Inc: l.m.host.inc()})
	if err == nil {
		err = l.m.nc.PublishRequest(l.m.subj.Ask(l.id), l.m.subj.ReplyFrom(l.id), data)
	}
	if err != nil && !l.m.closed.Load() {
		l.m.log.Debug("cachemesh: not pinged", "member", l.id, "error", err)
	}
}

// judge repeats the questions that are due, or gives them up. It says when the
// first of them is due again.
func (l *link) judge(due []*call, now int64) (soonest int64) {
	l.m.host.mu.Lock()
	inst, waits := l.m.host.roster.Known(l.id)
	suspect := l.m.host.roster.Suspects(now, l.id)
	l.m.host.mu.Unlock()
	var ended []*call
	again := false
	soonest = now + int64(repeatAfter)
	l.mu.Lock()
	for _, k := range due {
		age := now - k.began
		parted := k.inc != 0 && inst.Inc != k.inc || !waits && k.waited
		// Another has come in the place of the one that was asked, or tries to: unless that
		// one is known to be gone it may live, and says so soon.
		refused := k.refused > 0
		if end := k.refused + int64(briefPatience); refused && !parted && now < end {
			k.due, soonest = end, min(soonest, end)
			continue
		}
		if parted && !k.parted && !refused {
			k.parted, k.due = true, now+int64(lastWords)
			soonest = min(soonest, k.due)
			continue
		}
		gone := parted || refused || !waits && age > int64(l.m.cfg.Lease) ||
			suspect && age >= int64(repeatAfter) ||
			k.brief && !k.working && age >= int64(briefPatience) ||
			age > int64(k.limit())
		sent := l.calls.get(k.number) == k
		switch {
		case !sent && !l.queue.has(k): // answered or forgotten meanwhile
		case gone:
			l.calls.remove(k.number)
			l.queue.remove(k)
			if suspect {
				l.down.Store(true)
			}
			ended = append(ended, k)
		case sent && !k.again: // its answer may still come while it waits for its message
			if !k.working {
				l.lostAt = now
			}
			l.queue.push(k)
			k.again, again = true, true
			k.due = now + int64(repeatAfter)
		default:
			k.due = now + int64(repeatAfter)
		}
	}
	l.mu.Unlock()
	l.fail(ended)
	if again {
		l.m.host.step(func(r *roster.Roster, now int64) roster.Effects { return r.Probe(now, l.id) })
		l.nudge()
	}
	return soonest
}

// probe is when to ask again what the member is at work on: sooner where messages get lost. A load that others keep
// ending would else cost who waits for it probeAfter for each answer that is lost. The lock is held.
func (l *link) probe(now int64) time.Duration {
	if l.lostAt != 0 && now-l.lostAt < int64(lossyFor) {
		return repeatAfter
	}
	return probeAfter
}

// reachable reports whether it is worth asking: a member that could not be
// reached is left alone until it has been heard again.
func (l *link) reachable() bool {
	if !l.down.Load() {
		return true
	}
	if l.suspected() {
		return false
	}
	l.down.Store(false)
	return true
}

// lively reports whether the member does whatever can be told from here: it has not missed a
// heartbeat, and no question to it goes without a sign of it.
func (l *link) lively(now int64) bool {
	if l.down.Load() || l.silent.Load() {
		return false
	}
	l.m.host.mu.Lock()
	heard := l.m.host.roster.Heard(l.id)
	suspect := l.m.host.roster.Suspects(now, l.id)
	l.m.host.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if on := l.patience.unacked; len(on) > 0 && now-on[0].at >= int64(briefPatience) {
		return false
	}
	return !suspect && now-max(heard, l.patience.heard) <= int64(l.m.cfg.Heartbeat+l.m.cfg.Heartbeat/2)
}

// suspected reports whether the member is likely to be down.
func (l *link) suspected() bool {
	l.m.host.mu.Lock()
	defer l.m.host.mu.Unlock()
	return l.m.host.roster.Suspects(l.m.clock.now(), l.id)
}

// noResponders is told by NATS that nobody listens there.
func (l *link) noResponders() {
	now := l.m.clock.now()
	l.mu.Lock()
	l.unacked = 0
	l.patience.forget()
	if l.refused == 0 || now >= l.refusedAt+int64(secondTry) { // else it is of another batch that was on its way
		l.refused, l.refusedAt = l.refused+1, now
	}
	if l.refused == 1 {
		for k := range l.calls.each {
			k.due = l.refusedAt + int64(secondTry)
		}
		l.mu.Unlock()
		l.nudge()
		l.lookNow()
		return
	}
	l.down.Store(true)
	ended := l.takeAll()
	l.mu.Unlock()
	l.m.host.mu.Lock()
	l.m.host.roster.Suspect(now, l.id)
	l.m.host.mu.Unlock()
	l.fail(ended)
}
