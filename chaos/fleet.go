package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// fleet is the processes of one scenario: servers, members, and the origin in this process.
type fleet struct {
	ctx       context.Context
	dir       string        // of the socket and the logs
	heartbeat time.Duration // of the members
	lease     time.Duration
	ttl       time.Duration // of values
	quorum    int
	quick     bool
	origin    *origin
	network   *network // nil: everything is on the loopback interface
	servers   []*natsServer
	members   []*member // all that ever were
}

// natsServer is a NATS server's process.
type natsServer struct {
	*process
	spec  serverSpec
	place int
	says  chan string
}

func (s *natsServer) url() string { return fmt.Sprintf("nats://%s:%d", s.spec.Host, s.spec.Port) }

// newFleet makes a fleet without processes.
func newFleet(ctx context.Context, name string, o options) (*fleet, error) {
	epoch += now()
	dir, err := os.MkdirTemp("", "chaos-"+name+"-")
	if err != nil {
		return nil, err
	}
	f := &fleet{ctx: ctx, dir: dir, heartbeat: o.heartbeat, lease: 5 * o.heartbeat, ttl: 10 * time.Minute, quick: o.quick}
	if f.origin, err = newOrigin(filepath.Join(dir, "origin")); err != nil {
		return nil, err
	}
	f.origin.setTakes(loadTakes)
	return f, nil
}

// close ends everything that the fleet began. The logs stay where keep is true.
func (f *fleet) close(keep bool) {
	for _, m := range f.members {
		m.signal(syscall.SIGCONT)
		m.kill()
	}
	for _, s := range f.servers {
		s.kill()
	}
	if f.network != nil {
		f.network.close()
	}
	f.origin.close()
	if !keep {
		_ = os.RemoveAll(f.dir)
	}
}

// freePort is a port of the loopback interface that nobody listens on now.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// serve starts n NATS servers, a cluster if there are several, and returns when they know each other. In a network
// server i is at place i.
func (f *fleet) serve(n int) error {
	for i := range n {
		s := serverSpec{Name: fmt.Sprint("n", i), Host: "127.0.0.1", Port: 4222, Limit: childLimit}
		if f.network != nil {
			s.Host = f.network.addr(i)
			s.Route = 6222
		} else {
			var err error
			if s.Port, err = freePort(); err != nil {
				return err
			}
			if s.Route, err = freePort(); err != nil {
				return err
			}
		}
		if n == 1 {
			s.Route = 0
		}
		f.servers = append(f.servers, &natsServer{spec: s, place: i})
	}
	for i, s := range f.servers {
		for j, peer := range f.servers {
			if i != j {
				s.spec.Peers = append(s.spec.Peers, fmt.Sprintf("%s:%d", peer.spec.Host, peer.spec.Route))
			}
		}
		if err := f.startServer(s); err != nil {
			return err
		}
	}
	for _, s := range f.servers {
		if err := s.hear(saysJoined); err != nil {
			return err
		}
	}
	return nil
}

// startServer starts a server for the first time or again, and returns when clients can connect.
func (f *fleet) startServer(s *natsServer) (err error) {
	if s.process, err = startProcess(roleServer, s.spec.Name, f.namespace(s.place), f.dir, s.spec); err != nil {
		return err
	}
	says := make(chan string, 4)
	s.says = says
	go func() {
		defer close(says)
		for lines := bufio.NewScanner(s.out); lines.Scan(); {
			says <- lines.Text()
		}
	}()
	return s.hear(saysReady)
}

func (s *natsServer) hear(want string) error {
	select {
	case got := <-s.says:
		if got == want {
			return nil
		}
		return fmt.Errorf("server %s said %q, want %q; its log is %s", s.spec.Name, got, want, s.log)
	case <-time.After(15 * time.Second):
		return fmt.Errorf("server %s did not say %q within 15s; its log is %s", s.spec.Name, want, s.log)
	}
}

func (f *fleet) namespace(place int) string {
	if f.network == nil {
		return ""
	}
	return f.network.name(place)
}

// join starts members and returns when they have joined. Their names are new ones. at says the place of each in a
// network, where it connects to that place's server alone if there is one, and to all servers otherwise.
func (f *fleet) join(at ...int) ([]*member, error) {
	var started []*member
	for _, place := range at {
		var urls []string
		for _, s := range f.servers {
			if f.network == nil || s.place == place || place >= len(f.servers) {
				urls = append(urls, s.url())
			}
		}
		if len(urls) > 1 { // spread over the servers, each with a first choice
			n := len(f.members) % len(urls)
			urls = append(urls[n:], urls[:n]...)
		}
		m, err := f.startMember(memberSpec{ID: fmt.Sprint("m", len(f.members)+1), URL: strings.Join(urls, ","), Origin: f.origin.path,
			Heartbeat: f.heartbeat, TTL: f.ttl, Epoch: epoch, Quorum: f.quorum, Limit: childLimit}, place)
		if err != nil {
			return started, err
		}
		started = append(started, m)
	}
	for _, m := range started {
		if _, err := m.hear(0, joinLimit+5*time.Second); err != nil {
			return started, err
		}
	}
	return started, nil
}

func (f *fleet) startMember(spec memberSpec, place int) (*member, error) {
	p, err := startProcess(roleMember, spec.ID, f.namespace(place), f.dir, spec)
	if err != nil {
		return nil, err
	}
	m := newMember(p, spec.ID)
	f.members = append(f.members, m)
	return m, nil
}

// living are the members whose processes run.
func (f *fleet) living() (list []*member) {
	for _, m := range f.members {
		if m.alive() {
			list = append(list, m)
		}
	}
	return list
}

// agree waits until each of the members counts exactly these, and goes on doing so for a moment. It returns since when.
func (f *fleet) agree(limit time.Duration, members ...*member) (since time.Duration, err error) {
	var ids []string
	for _, m := range members {
		ids = append(ids, m.id)
	}
	slices.Sort(ids)
	const firm = 300 * time.Millisecond
	err = until(f.ctx, limit, fmt.Sprint("all agree on ", ids), func() bool {
		since = 0
		for _, m := range members {
			v, seen := m.lastView()
			if !equal(v.Members, ids) || seen < v.From {
				return false
			}
			since = max(since, v.From)
		}
		return now()-since > firm
	})
	if err != nil {
		for _, m := range members {
			v, _ := m.lastView()
			err = fmt.Errorf("%w; %s counts %v", err, m.id, v.Members)
		}
	}
	return since, err
}

// order gives the same order to several members.
func orderAll(members []*member, o order) error {
	for _, m := range members {
		if _, err := m.order(o); err != nil {
			return err
		}
	}
	return nil
}
