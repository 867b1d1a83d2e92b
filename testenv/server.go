package testenv

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/cachemesh/cachemesh/internal/natsd"
)

// restartWait is how long Restart waits for the old port: the system may lend it to somebody for a moment.
const restartWait = 5 * time.Second

// ErrDown is what connects meet while a link is cut or an in-process server is stopped.
var ErrDown = errors.New("testenv: down")

// Server is a NATS server for the time of a test. Its methods are safe for concurrent use.
type Server struct {
	config natsd.Config // its port is a number from the first start on, so that a restart comes back there
	url    string

	mu      sync.Mutex    // guards running
	running *natsd.Server // nil while stopped
}

// A NATSOption changes the server that NATS starts.
type NATSOption func(tb testing.TB, c *natsd.Config)

// MaxPayload sets the largest message that the server takes, in bytes, up to 64 MiB. The default is 1 MiB.
func MaxPayload(n int) NATSOption {
	return func(_ testing.TB, c *natsd.Config) { c.MaxPayload = n }
}

// JetStream turns JetStream on. Its files live in a temporary directory of the test and survive Stop and Restart.
func JetStream() NATSOption {
	return func(tb testing.TB, c *natsd.Config) { c.StoreDir = tb.TempDir() }
}

// NATS starts a NATS server on a free loopback port. It ends with the test.
func NATS(tb testing.TB, opts ...NATSOption) *Server {
	tb.Helper()
	c := natsd.Config{Port: natsd.RandomPort, Logger: slog.New(slog.DiscardHandler)}
	for _, o := range opts {
		o(tb, &c)
	}
	return startServer(tb, c)
}

// InProcess starts a NATS server that opens no port: clients connect through memory. It is what runs inside Bubble; a
// server that listens would stop the virtual clock.
func InProcess(tb testing.TB) *Server {
	tb.Helper()
	return startServer(tb, natsd.Config{InProcess: true, Logger: slog.New(slog.DiscardHandler)})
}

func startServer(tb testing.TB, c natsd.Config) *Server {
	tb.Helper()
	running, err := natsd.Start(c)
	if err != nil {
		tb.Fatalf("testenv: no NATS server: %v", err)
	}
	if !c.InProcess {
		c.Port = running.Port()
	}
	if c.Routes != nil {
		c.Routes.Port = portOf(running.RouteAddr())
	}
	s := &Server{config: c, url: running.URL(), running: running}
	tb.Cleanup(s.Stop)
	return s
}

// URL is where clients connect to. It stays the same over Stop and Restart. An InProcess server has none: "".
func (s *Server) URL() string { return s.url }

// Connect connects a client that reconnects for ever, soon, and loses what it could not send meanwhile: what suits a
// member of a mesh. The given options come after these. The connection is closed at the end of the test.
func (s *Server) Connect(tb testing.TB, opts ...nats.Option) *nats.Conn {
	tb.Helper()
	if s.config.InProcess {
		opts = append([]nats.Option{nats.InProcessServer(s)}, opts...)
	}
	return connect(tb, s.url, opts)
}

func connect(tb testing.TB, url string, opts []nats.Option) *nats.Conn {
	tb.Helper()
	nc, err := nats.Connect(url, append([]nats.Option{
		nats.Name(tb.Name()),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(50 * time.Millisecond),
		nats.ReconnectJitter(20*time.Millisecond, 20*time.Millisecond),
		nats.ReconnectBufSize(-1), // what was not sent must not arrive seconds later
		nats.FlusherTimeout(2 * time.Second),
		nats.ReconnectOnFlusherError(),
		nats.IgnoreAuthErrorAbort(),
		nats.PermissionErrOnSubscribe(true),
		nats.PingInterval(10 * time.Second),
		nats.MaxPingsOutstanding(2),
	}, opts...)...)
	if err != nil {
		tb.Fatalf("testenv: cannot connect: %v", err)
	}
	tb.Cleanup(nc.Close)
	return nc
}

// InProcessConn makes the server an argument for nats.InProcessServer. It works for servers that listen, too.
func (s *Server) InProcessConn() (net.Conn, error) {
	s.mu.Lock()
	running := s.running
	s.mu.Unlock()
	if running == nil {
		return nil, fmt.Errorf("%w: the server is stopped", ErrDown)
	}
	return running.InProcessConn()
}

func (s *Server) dial() (net.Conn, error) {
	if s.config.InProcess {
		return s.InProcessConn()
	}
	return net.DialTimeout("tcp", strings.TrimPrefix(s.url, "nats://"), time.Second)
}

// Stop stops the server as a crash would be seen by clients: their connections close and connects are refused. Again:
// nothing happens.
func (s *Server) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != nil {
		s.running.Shutdown()
		s.running = nil
	}
}

// Restart starts the server again where it was: same port, same JetStream files, same cluster. A running one is
// stopped first.
func (s *Server) Restart(tb testing.TB) {
	tb.Helper()
	s.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	end := time.Now().Add(restartWait)
	for {
		running, err := natsd.Start(s.config)
		if err == nil {
			s.running = running
			return
		}
		if !errors.Is(err, natsd.ErrPortInUse) || time.Now().After(end) {
			tb.Fatalf("testenv: the NATS server does not start again: %v", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (s *Server) up() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running != nil
}
