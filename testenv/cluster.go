package testenv

import (
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/cachemesh/cachemesh/internal/natsd"
)

// clusterWait bounds the forming of a cluster. A first one takes 0.1 s; a route that was refused is retried after 1 s.
const clusterWait = 15 * time.Second

// Cluster is a NATS cluster for the time of a test: servers with real routes between loopback ports, in real time.
// Stop and Restart are for one goroutine at a time.
type Cluster struct{ servers []*Server }

// NewCluster starts n servers and returns when a message passes from each to each other. They end with the test.
func NewCluster(tb testing.TB, n int) *Cluster {
	tb.Helper()
	c := &Cluster{}
	var peers []string
	for i := range n {
		s := startServer(tb, natsd.Config{
			Name:   fmt.Sprint("n", i),
			Port:   natsd.RandomPort,
			Logger: slog.New(slog.DiscardHandler),
			Routes: &natsd.Routes{Cluster: "testenv", Port: natsd.RandomPort, Peers: peers},
		})
		c.servers = append(c.servers, s)
		peers = append(peers[:len(peers):len(peers)], net.JoinHostPort("127.0.0.1", strconv.Itoa(s.config.Routes.Port)))
	}
	for i, s := range c.servers { // a server that restarts looks for all the others
		s.config.Routes.Peers = append(append([]string(nil), peers[:i]...), peers[i+1:]...)
	}
	c.wait(tb)
	return c
}

func portOf(addr string) int {
	_, p, _ := net.SplitHostPort(addr)
	n, _ := strconv.Atoi(p)
	return n
}

// Servers are the servers in the order of their numbers, the stopped ones included.
func (c *Cluster) Servers() []*Server { return append([]*Server(nil), c.servers...) }

// URL names all servers, for a client that moves to another when its own dies.
func (c *Cluster) URL() string {
	urls := make([]string, len(c.servers))
	for i, s := range c.servers {
		urls[i] = s.URL()
	}
	return strings.Join(urls, ",")
}

// Connect connects a client as Server.Connect does, to any server of the cluster.
func (c *Cluster) Connect(tb testing.TB, opts ...nats.Option) *nats.Conn {
	tb.Helper()
	return connect(tb, c.URL(), opts)
}

// Stop stops server i as a crash would be seen by its clients and the other servers.
func (c *Cluster) Stop(i int) { c.servers[i].Stop() }

// Restart starts server i again and returns when messages pass between it and the other running servers.
func (c *Cluster) Restart(tb testing.TB, i int) {
	tb.Helper()
	c.servers[i].Restart(tb)
	c.wait(tb)
}

// wait sends a request between each two running servers. Counting routes would not do: a route is there before the
// interest in subjects has passed over it.
func (c *Cluster) wait(tb testing.TB) {
	tb.Helper()
	end := time.Now().Add(clusterWait)
	var conns []*nats.Conn
	defer func() {
		for _, nc := range conns {
			nc.Close()
		}
	}()
	for i, s := range c.servers {
		if !s.up() {
			continue
		}
		nc, err := nats.Connect(s.URL(), nats.NoReconnect())
		if err == nil {
			conns = append(conns, nc)
			_, err = nc.Subscribe(fmt.Sprint("testenv.cluster.", i), func(m *nats.Msg) { _ = m.Respond(nil) })
		}
		if err != nil {
			tb.Fatalf("testenv: server %d of the cluster: %v", i, err)
		}
	}
	for _, from := range conns {
		for to, s := range c.servers {
			for s.up() {
				if _, err := from.Request(fmt.Sprint("testenv.cluster.", to), nil, 200*time.Millisecond); err == nil {
					break
				}
				if time.Now().After(end) {
					tb.Fatalf("testenv: the cluster did not form within %v: no answer from server %d", clusterWait, to)
				}
				time.Sleep(5 * time.Millisecond)
			}
		}
	}
}
