package mesh

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/cachemesh/cachemesh/internal/roster"
	"github.com/cachemesh/cachemesh/internal/wire"
)

const subscribeBound = 10 * time.Second

// subscribe listens to everything that members tell this one, and returns when
// the server knows it.
func (m *Mesh) subscribe(ctx context.Context) error {
	m.unallowed = m.nc.LastError()
	var err error
	if !m.cfg.Private {
		err = m.listenService() // first: what NATS then refuses last is of the mesh
	}
	m.tryPublishing()
	err = errors.Join(err,
		m.listen(m.subj.AllOf(), true, m.onControl),
		m.listen(m.subj.ToMe(), true, m.onControl),
		m.listen(m.subj.AskMe(), false, m.onAsk),
		m.listen(m.subj.AnswerMe(), false, m.onAnswer),
	)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, subscribeBound)
	defer cancel()
	if err := m.nc.FlushWithContext(ctx); err != nil && !errors.Is(err, nats.ErrConnectionReconnecting) {
		return fmt.Errorf("subscribe: %w", err)
	}
	return m.denied()
}

// tryPublishing publishes to this member, which does not listen yet, on each of the subjects of
// which the others' use would fail late: NATS tells by that alone whether it may be. That it may
// speak to all its first heartbeat shows.
func (m *Mesh) tryPublishing() {
	me, inc := m.cfg.ID, m.host.inc()
	for _, try := range []struct {
		subject string
		nothing any
	}{
		{m.subj.To(me), &wire.Taken{ID: me}},
		{m.subj.Ask(me), &wire.Ask{Inc: inc}},
		{m.subj.Answer(me), &wire.Answer{Inc: inc, To: inc}},
	} {
		if data, err := wire.Append(nil, try.nothing); err == nil {
			_ = m.nc.Publish(try.subject, data) // without a connection nothing is refused either
		}
	}
}

// denied is what NATS has last refused of what members need, if it has since Join began: a
// member that may not hear the others would take itself for the only one.
func (m *Mesh) denied() error {
	err := m.nc.LastError()
	if !errors.Is(err, nats.ErrPermissionViolation) || err == m.unallowed || !m.subj.Needs(err.Error()) {
		return nil
	}
	return fmt.Errorf("NATS does not let this user take part, who must be allowed to publish and to subscribe to mesh.%s.>: %w", m.cfg.Name, err)
}

// onControl hands a message to the roster.
func (m *Mesh) onControl(msg *nats.Msg) {
	m.isolation.sign.Store(m.clock.now())
	sender, ok := wire.Sender(msg.Subject)
	if !ok {
		m.dropped.note(m, msg.Subject, errors.New("the subject names no sender"))
		return
	}
	decoded, err := wire.Decode(msg.Data)
	if err != nil {
		m.dropped.note(m, msg.Subject, err)
		return
	}
	body := fromWire(sender, decoded)
	if body == nil {
		m.dropped.note(m, msg.Subject, fmt.Errorf("a %T does not belong here", decoded))
		return
	}
	if sender == m.cfg.ID && !m.host.ofNamesake(body) {
		return // an echo of our own
	}
	m.host.step(func(r *roster.Roster, now int64) roster.Effects { return r.Receive(now, sender, body) })
}

// ofNamesake reports whether a message in the name of this member may be of another process
// that has its ID, and matters then.
func (h *host) ofNamesake(body any) bool {
	switch b := body.(type) {
	case *roster.Beat:
		return b.Nonce != h.nonce
	case *roster.Gone:
		return b.From.Inc != h.inc()
	case *roster.Taken:
		return true
	}
	return false
}

// send publishes what the roster wants to tell. A message that cannot be sent
// is lost like any other: heartbeats and repetitions make up for it.
func (m *Mesh) send(msg roster.Message) {
	body := toWire(msg.Body)
	if body == nil || !m.nc.IsConnected() {
		return
	}
	data, err := wire.Append(nil, body)
	if err != nil {
		m.log.Error("cachemesh: cannot encode a message", "type", fmt.Sprintf("%T", body), "error", err)
		return
	}
	subject := m.subj.All()
	if msg.To != "" {
		subject = m.subj.To(msg.To)
	}
	switch err := m.nc.Publish(subject, data); {
	case err == nil || m.closed.Load():
	case errors.Is(err, nats.ErrMaxPayload): // no repetition helps
		m.dropped.note(m, subject, fmt.Errorf("%T of %d bytes is not sent: this NATS takes %d; raise its max_payload", msg.Body, len(data), m.nc.MaxPayload()))
	default:
		m.log.Debug("cachemesh: not sent", "subject", subject, "error", err)
	}
}

// maxMessage is how much goes into one message, the server's limit less room
// for the envelope. It does not wait for a connection that is stuck.
func (m *Mesh) maxMessage() int { return int(m.message.Load()) }

// leastPayload is the smallest max_payload of a server that a mesh can work with.
const leastPayload = 4 << 10

// measure takes note of the server's limit, and reports whether it has changed.
func (m *Mesh) measure() (changed bool) {
	const most, room = 512 << 10, 4 << 10
	limit := m.nc.MaxPayload()
	if limit <= 0 {
		limit = 1 << 20
	}
	size := max(min(limit-room, most), room)
	return m.message.Swap(size) != size
}

// watchConnection follows the state of the connection: a reconnect may have
// lost messages, and the end of the connection is the end of the mesh.
func (m *Mesh) watchConnection() {
	status := m.nc.StatusChanged()
	defer m.nc.RemoveStatusListener(status)
	lossCheck := time.NewTicker(max(m.cfg.Heartbeat, 100*time.Millisecond))
	defer lossCheck.Stop()
	was := m.nc.Status()
	for {
		select {
		case <-m.done:
			return
		case <-status:
		case <-lossCheck.C:
			m.listenFor(m.clock.now())
			if m.controlLost() {
				m.host.step(func(r *roster.Roster, now int64) roster.Effects { return r.Resync(now) })
			}
		}
		is := m.nc.Status()
		if m.measure() {
			m.host.limit(m.maxMessage())
		}
		m.follow(is, m.clock.now())
		switch {
		case is == nats.CLOSED:
			m.log.Warn("cachemesh: the NATS connection is closed, and with it this member")
			go m.end() // it waits for nobody here
			return
		case is == nats.CONNECTED && was != nats.CONNECTED:
			m.log.Info("cachemesh: connected to NATS again")
			m.host.step(func(r *roster.Roster, now int64) roster.Effects { return r.Resync(now) })
			m.nudgeLinks()
		case is != nats.CONNECTED && was == nats.CONNECTED:
			m.log.Warn("cachemesh: the connection to NATS is lost; this member goes on alone after a lease", "status", is.String())
		}
		was = is
	}
}

// connectionClosed reports whether the connection is closed, without waiting for
// it: its end is that of its subscriptions.
func (m *Mesh) connectionClosed() bool {
	first := m.subs.first.Load()
	return first != nil && !first.IsValid()
}

// adviseOnConnection says what of the caller's connection will hurt.
func (m *Mesh) adviseOnConnection() {
	o := m.nc.Opts
	warn := func(what, why string) { m.log.Warn("cachemesh: advice on the NATS connection: " + what + ": " + why) }
	if !o.AllowReconnect || o.MaxReconnect >= 0 {
		warn("set nats.MaxReconnects(-1)", "it gives up after a while, and this member with it")
	}
	if o.ReconnectBufSize >= 0 {
		m.log.Debug("cachemesh: advice on the NATS connection: nats.ReconnectBufSize(-1) keeps old messages from being sent late")
	}
	if o.NoEcho {
		m.log.Debug("cachemesh: the NATS connection has NoEcho set: questions that come late may start loads that nobody waits for")
	}
}

// droppedLog counts messages that were not ours and logs one of each kind.
type droppedLog struct {
	mu   sync.Mutex // guards seen
	seen map[string]bool
}

// note drops a message: one line in the log for each sort of subject and reason.
func (d *droppedLog) note(m *Mesh, subject string, err error) {
	m.stats.dropped.Add(1)
	sort := "malformed"
	switch {
	case errors.Is(err, wire.ErrVersion):
		sort = "version"
	case errors.Is(err, wire.ErrNotOurs):
		sort = "stranger"
	}
	const most = 256
	key := sort + " " + subject
	d.mu.Lock()
	first := !d.seen[key] && len(d.seen) < most
	if d.seen == nil {
		d.seen = map[string]bool{}
	}
	if first {
		d.seen[key] = true
	}
	d.mu.Unlock()
	if first {
		m.log.Warn("cachemesh: dropped a message; more of this kind are only counted", "subject", subject, "why", err)
	}
}
