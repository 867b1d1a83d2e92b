package natsd

import (
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// RandomPort makes the server listen on a free port; Server.URL tells which.
const RandomPort = -1

// maxPending is what nats-server buffers for one client by default; a payload cannot be larger.
const maxPending = 64 << 20

// Config says how to start a server. The zero value listens on 127.0.0.1:4222 without JetStream.
type Config struct {
	Host       string       // address to listen on; default 127.0.0.1
	Port       int          // default 4222; RandomPort: any free one
	InProcess  bool         // open no port: clients connect with nats.InProcessServer alone
	Name       string       // shown in server lists; default the server's random ID
	MaxPayload int          // bytes in one message, at most 64 MiB; default 1 MiB
	StoreDir   string       // JetStream is on and keeps its files here; default "": off
	Routes     *Routes      // makes the server part of a cluster; default nil: it stands alone
	Logger     *slog.Logger // default slog.Default()

	// LameDuck is the time over which LameDuck sends the clients away, at least 2 s; default 5 s. The first fifth of
	// it is notice, in which clients move of their own accord.
	LameDuck time.Duration
}

// Routes says how a server finds the others of its cluster.
type Routes struct {
	Cluster string   // the cluster's name, the same on all its servers; no spaces
	Port    int      // where the other servers connect to, on Config.Host; RandomPort: any free one
	Peers   []string // host:port of others' route ports. One that is up is enough, the rest is learnt from it
}

func (c Config) options() (*server.Options, error) {
	if c.Host == "" {
		c.Host = "127.0.0.1"
	}
	if c.Port == 0 {
		c.Port = server.DEFAULT_PORT
	}
	if c.LameDuck == 0 {
		c.LameDuck = 5 * time.Second
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	o := &server.Options{
		Host:                c.Host,
		Port:                c.Port,
		DontListen:          c.InProcess,
		ServerName:          c.Name,
		MaxPayload:          int32(c.MaxPayload),
		NoSigs:              true,
		LameDuckDuration:    c.LameDuck,
		LameDuckGracePeriod: c.LameDuck / 5,
		// The banner is ASCII art: no use in a structured log.
		DisableJetStreamBanner: true,
		JetStream:              c.StoreDir != "",
		StoreDir:               c.StoreDir,
	}
	if c.Routes == nil {
		return o, nil
	}
	o.Cluster = server.ClusterOpts{Name: c.Routes.Cluster, Host: c.Host, Port: c.Routes.Port}
	for _, p := range c.Routes.Peers {
		o.Routes = append(o.Routes, &url.URL{Scheme: "nats", Host: p})
	}
	return o, nil
}

func (c Config) check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{ErrConfig}, args...)...)
	}
	port := func(p int) bool { return p == RandomPort || p > 0 && p <= 65535 }
	switch {
	case !port(c.Port):
		return bad("Port %d: want 1 to 65535, or RandomPort", c.Port)
	case c.MaxPayload < 0 || c.MaxPayload > maxPending:
		return bad("MaxPayload %d: want 0 (1 MiB) to %d bytes", c.MaxPayload, maxPending)
	case c.LameDuck < 2*time.Second:
		return bad("LameDuck %v: want 0 (5s) or at least 2s", c.LameDuck)
	case strings.ContainsAny(c.Name, " \t\r\n"):
		return bad("Name %q: want no spaces", c.Name)
	case c.Routes == nil:
		return nil
	case c.InProcess:
		return bad("Routes: a server of a cluster listens, InProcess must be false")
	case c.Routes.Cluster == "" || strings.ContainsAny(c.Routes.Cluster, " \t\r\n"):
		return bad("Routes.Cluster %q: want a name without spaces", c.Routes.Cluster)
	case !port(c.Routes.Port):
		return bad("Routes.Port %d: want 1 to 65535, or RandomPort", c.Routes.Port)
	}
	for _, p := range c.Routes.Peers {
		if _, n, err := net.SplitHostPort(p); err != nil {
			return bad("Routes.Peers %q: want host:port: %v", p, err)
		} else if n, err := strconv.Atoi(n); err != nil || !port(n) {
			return bad("Routes.Peers %q: want a port from 1 to 65535", p)
		}
	}
	return nil
}
