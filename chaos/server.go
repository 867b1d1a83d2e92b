package main

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/cachemesh/cachemesh/internal/natsd"
)

// serverSpec says what a NATS server's process is to be.
type serverSpec struct {
	Name  string
	Host  string
	Port  int
	Route int      // the port for the other servers; 0: it stands alone
	Peers []string // host:port of the others' route ports
	Limit time.Duration
}

// What a server's process says and is told, a line each.
const (
	saysReady    = "ready"  // clients can connect
	saysJoined   = "joined" // there are routes to all peers
	tellLameDuck = "lame duck"
)

// runServer is the process of a NATS server. It ends with its input.
func runServer(spec serverSpec, in io.Reader, out io.Writer) error {
	c := natsd.Config{Name: spec.Name, Host: spec.Host, Port: spec.Port, LameDuck: 2 * time.Second,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	if spec.Route > 0 {
		c.Routes = &natsd.Routes{Cluster: "chaos", Port: spec.Route, Peers: spec.Peers}
	}
	s, err := natsd.Start(c)
	if err != nil {
		return err
	}
	defer s.Shutdown()
	if _, err := fmt.Fprintln(out, saysReady); err != nil {
		return err
	}
	go func() {
		for s.Peers() < len(spec.Peers) {
			time.Sleep(10 * time.Millisecond)
		}
		_, _ = fmt.Fprintln(out, saysJoined)
	}()
	for lines := bufio.NewScanner(in); lines.Scan(); {
		if strings.TrimSpace(lines.Text()) == tellLameDuck {
			s.LameDuck()
			return nil
		}
	}
	return nil
}
