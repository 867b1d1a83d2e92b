package natsd

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	startWait = 10 * time.Second // a JetStream store may have to be recovered
	stopWait  = 10 * time.Second
)

// Server is a running nats-server. Its methods are safe for concurrent use.
type Server struct {
	ns       *server.Server
	log      *logger
	lameDuck time.Duration
	listens  bool
	cluster  bool
}

// Start starts a server and returns when clients can connect. Errors are ErrConfig, ErrPortInUse (test with
// errors.Is) or what nats-server gives as its reason.
func Start(c Config) (*Server, error) {
	o, err := c.options()
	if err != nil {
		return nil, err
	}
	if !o.DontListen {
		if err := free(o.Host, o.Port); err != nil {
			return nil, err
		}
	}
	if c.Routes != nil {
		if err := free(o.Host, o.Cluster.Port); err != nil {
			return nil, err
		}
	}
	ns, err := server.NewServer(o)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	log := newLogger(c.Logger)
	ns.SetLoggerV2(log, false, false, false)
	s := &Server{ns: ns, log: log, lameDuck: o.LameDuckDuration, listens: !o.DontListen, cluster: c.Routes != nil}
	ready := make(chan bool, 1)
	go func() {
		ns.Start()
		ready <- ns.ReadyForConnections(startWait)
	}()
	select {
	case text := <-log.fatal:
		s.Shutdown()
		return nil, fmt.Errorf("%w: %s", ErrNotReady, text)
	case ok := <-ready:
		if !ok {
			s.Shutdown()
			return nil, fmt.Errorf("%w within %v", ErrNotReady, startWait)
		}
		return s, nil
	}
}

// free tells whether the address can be listened on. nats-server itself reports a taken port to its log alone.
func free(host string, port int) error {
	if port == RandomPort {
		port = 0
	}
	addr := net.JoinHostPort(host, strconv.Itoa(port))
	l, err := net.Listen("tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%w: something else listens on %s; connect to it if it is a NATS server, or take another port", ErrPortInUse, addr)
	case err != nil:
		return fmt.Errorf("natsd: cannot listen on %s: %w", addr, err)
	}
	return l.Close()
}

// URL is where clients connect to, "nats://host:port"; "" for a server that opens no port. Where the server listens
// on every address it names the loopback one.
func (s *Server) URL() string {
	if !s.listens {
		return ""
	}
	addr, ok := s.ns.Addr().(*net.TCPAddr)
	if !ok {
		return s.ns.ClientURL()
	}
	return "nats://" + reachable(addr)
}

// Port is the port that clients connect to, 0 for a server that opens none.
func (s *Server) Port() int {
	if addr, ok := s.ns.Addr().(*net.TCPAddr); ok && s.listens {
		return addr.Port
	}
	return 0
}

// RouteAddr is the host:port that other servers of the cluster connect to, "" outside a cluster.
func (s *Server) RouteAddr() string {
	if addr := s.ns.ClusterAddr(); s.cluster && addr != nil {
		return reachable(addr)
	}
	return ""
}

// reachable is addr, or the loopback address where addr stands for all of them.
func reachable(addr *net.TCPAddr) string {
	ip := addr.IP
	if ip.IsUnspecified() {
		if ip.To4() != nil {
			ip = net.IPv4(127, 0, 0, 1)
		} else {
			ip = net.IPv6loopback
		}
	}
	return net.JoinHostPort(ip.String(), strconv.Itoa(addr.Port))
}

// Peers counts the servers of the cluster that this one has a route to, itself not included.
func (s *Server) Peers() int {
	routes, err := s.ns.Routez(nil)
	if err != nil {
		return 0
	}
	seen := map[string]bool{}
	for _, r := range routes.Routes {
		seen[r.RemoteID] = true
	}
	return len(seen)
}

// RouteConns counts the connections to other servers of the cluster: several to each, made one after the other.
func (s *Server) RouteConns() int { return s.ns.NumRoutes() }

// Clients counts the clients connected now.
func (s *Server) Clients() int { return s.ns.NumClients() }

// InProcessConn connects a client without a port; it makes the server an argument for nats.InProcessServer.
func (s *Server) InProcessConn() (net.Conn, error) {
	if !s.ns.Running() {
		return nil, ErrStopped
	}
	return s.ns.InProcessConn()
}

// Shutdown closes the clients' connections and stops the server. It returns when the server has stopped, or after
// 10 s. Again: it returns at once.
func (s *Server) Shutdown() {
	s.within(stopWait, s.ns.Shutdown)
}

// LameDuck takes no new clients, tells those it has to move to another server, closes who did not, spread over
// Config.LameDuck, and then does as Shutdown. It returns within Config.LameDuck and 10 s. Where clients have no other
// server to move to, Shutdown is quicker and no worse for them.
func (s *Server) LameDuck() {
	if s.listens {
		s.within(s.lameDuck, s.ns.LameDuckShutdown)
	}
	s.Shutdown()
}

// within runs stop and waits for the end of the server, d at the most.
func (s *Server) within(d time.Duration, stop func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		stop()
		s.ns.WaitForShutdown()
	}()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
		s.log.Warnf("not stopped within %v", d)
	}
}
