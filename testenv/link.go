package testenv

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// Direction is one way over a link. Where a method takes directions, none means both.
type Direction int

const (
	ToServer Direction = iota // what the client sends
	ToClient                  // what the server sends
)

// fault is what happens to one direction.
type fault struct {
	delay, jitter time.Duration
	drop          float64 // share of the messages
	swallow       bool
}

// Link stands between clients and one server and fails on command. A new link is sound. It carries any number of
// connections, all with the same faults; give each client its own link to fail it alone. Messages are told from the
// rest of the protocol, so the connection must be neither TLS nor websocket. Its methods are safe for concurrent use.
type Link struct {
	server   *Server
	listener net.Listener   // nil for an InProcess server
	running  sync.WaitGroup // the accept loop and the pipes

	mu     sync.Mutex // guards the rest
	faults [2]fault   // by Direction
	cut    bool
	closed bool
	pipes  map[*pipe]struct{}
	lost   int
}

// NewLink makes a link to s: a proxy on a loopback port, or in memory for an InProcess server. It ends with the test.
func NewLink(tb testing.TB, s *Server) *Link {
	tb.Helper()
	l := &Link{server: s, pipes: map[*pipe]struct{}{}}
	if !s.config.InProcess {
		var err error
		if l.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			tb.Fatalf("testenv: no port for a link: %v", err)
		}
		l.running.Go(l.accept)
	}
	tb.Cleanup(l.close)
	return l
}

// URL is where clients connect to get to the server over the link; "" for an InProcess server.
func (l *Link) URL() string {
	if l.listener == nil {
		return ""
	}
	return "nats://" + l.listener.Addr().String()
}

// Connect connects a client over the link, as Server.Connect does. It stays on the link: other servers of a cluster,
// which the server names to its clients, are ignored.
func (l *Link) Connect(tb testing.TB, opts ...nats.Option) *nats.Conn {
	tb.Helper()
	first := []nats.Option{nats.IgnoreDiscoveredServers()}
	if l.listener == nil {
		first = append(first, nats.InProcessServer(l))
	}
	return connect(tb, l.URL(), append(first, opts...))
}

// InProcessConn makes the link to an InProcess server an argument for nats.InProcessServer.
func (l *Link) InProcessConn() (net.Conn, error) {
	client, far := net.Pipe()
	if !l.open(far) {
		client.Close()
		return nil, fmt.Errorf("%w: the link is cut", ErrDown)
	}
	return client, nil
}

func (l *Link) accept() {
	for {
		c, err := l.listener.Accept()
		if err != nil {
			return
		}
		l.open(c)
	}
}

// open begins to carry a client's connection; false if the link is cut.
func (l *Link) open(client net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut || l.closed {
		reset(client)
		return false
	}
	p := newPipe(l, client)
	l.pipes[p] = struct{}{}
	l.running.Go(func() {
		p.run()
		l.mu.Lock()
		delete(l.pipes, p)
		l.mu.Unlock()
	})
	return true
}

// Cut closes all connections at once, as a crash of either side would: what is on its way is lost. New connections are
// refused until Heal.
func (l *Link) Cut() {
	l.mu.Lock()
	l.cut = true
	l.mu.Unlock()
	l.reset()
}

// Swallow makes the link a black hole until Heal: what is sent is accepted and not delivered, and neither side is told
// of anything, the other's closing included. It is how a stopped process or a lost route look. Heal delivers what was
// swallowed, late and in order, as the retransmissions of TCP do; that of a connection given up meanwhile too.
func (l *Link) Swallow(ways ...Direction) {
	l.change(ways, func(f *fault) { f.swallow = true })
}

// Delay keeps everything back for d and up to jitter more, in order. Zero: no delay.
func (l *Link) Delay(d, jitter time.Duration, ways ...Direction) {
	l.change(ways, func(f *fault) { f.delay, f.jitter = d, jitter })
}

// Drop loses a share of the messages, from 0 (none) to 1 (all), each by chance. The connection and the rest of the
// protocol (subscriptions, pings) stay whole: it is how a slow consumer or a reconnecting server loses messages.
func (l *Link) Drop(share float64, ways ...Direction) {
	l.change(ways, func(f *fault) { f.drop = share })
}

// Heal ends all faults.
func (l *Link) Heal() {
	l.mu.Lock()
	l.cut = false
	l.mu.Unlock()
	l.change(nil, func(f *fault) { *f = fault{} })
}

// Lost counts the messages that Drop has lost so far.
func (l *Link) Lost() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost
}

func (l *Link) change(ways []Direction, to func(*fault)) {
	if len(ways) == 0 {
		ways = []Direction{ToServer, ToClient}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range ways {
		to(&l.faults[w])
	}
	for p := range l.pipes {
		p.up.poke()
		p.down.poke()
	}
}

func (l *Link) swallows(way Direction) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.faults[way].swallow
}

func (l *Link) delay(way Direction) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.faults[way]
	if f.jitter > 0 {
		return f.delay + rand.N(f.jitter)
	}
	return f.delay
}

func (l *Link) loses(way Direction) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if d := l.faults[way].drop; d == 0 || rand.Float64() >= d {
		return false
	}
	l.lost++
	return true
}

func (l *Link) reset() {
	l.mu.Lock()
	pipes := make([]*pipe, 0, len(l.pipes))
	for p := range l.pipes {
		pipes = append(pipes, p)
	}
	l.mu.Unlock()
	for _, p := range pipes {
		p.close()
	}
}

func (l *Link) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	if l.listener != nil {
		l.listener.Close()
	}
	l.reset()
	l.running.Wait()
}
