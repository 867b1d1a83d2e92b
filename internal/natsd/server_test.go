package natsd

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func start(t *testing.T, c Config) *Server {
	t.Helper()
	if c.Port == 0 {
		c.Port = RandomPort
	}
	c.Logger = quiet()
	s, err := Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	return s
}

func connect(t *testing.T, s *Server, opts ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(s.URL(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func TestAServerAnswersAtItsURL(t *testing.T) {
	s := start(t, Config{MaxPayload: 4 << 20})
	nc := connect(t, s)
	if got := nc.MaxPayload(); got != 4<<20 {
		t.Errorf("max payload %d, want %d", got, 4<<20)
	}
	if err := nc.Flush(); err != nil {
		t.Error(err)
	}
	if want := fmt.Sprintf("nats://127.0.0.1:%d", s.Port()); s.URL() != want {
		t.Errorf("URL %q, want %q", s.URL(), want)
	}
}

func TestAServerOnEveryAddressGivesAURLThatCanBeDialled(t *testing.T) {
	connect(t, start(t, Config{Host: "0.0.0.0"}))
}

func TestATakenPortIsNamed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	_, err = Start(Config{Port: port, Logger: quiet()})
	if !errors.Is(err, ErrPortInUse) || !strings.Contains(err.Error(), fmt.Sprint("127.0.0.1:", port)) {
		t.Errorf("got %v, want ErrPortInUse that names the address", err)
	}
	_, err = Start(Config{Port: RandomPort, Routes: &Routes{Cluster: "c", Port: port}, Logger: quiet()})
	if !errors.Is(err, ErrPortInUse) {
		t.Errorf("a taken route port: got %v, want ErrPortInUse", err)
	}
}

func TestAConfigThatMakesNoSenseIsRefusedByField(t *testing.T) {
	for field, c := range map[string]Config{
		"Port":           {Port: 70000},
		"MaxPayload":     {MaxPayload: -1},
		"LameDuck":       {LameDuck: time.Second},
		"Name":           {Name: "a b"},
		"Routes:":        {InProcess: true, Routes: &Routes{Cluster: "c", Port: 1}},
		"Routes.Cluster": {Routes: &Routes{Port: 1}},
		"Routes.Port":    {Routes: &Routes{Cluster: "c"}},
		"Routes.Peers":   {Routes: &Routes{Cluster: "c", Port: 1, Peers: []string{"nowhere"}}},
	} {
		_, err := Start(c)
		if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: got %v", field, err)
		}
	}
	if _, err := Start(Config{Host: "192.0.2.1", Logger: quiet()}); err == nil || !strings.Contains(err.Error(), "192.0.2.1:4222") {
		t.Errorf("an address of another machine: got %v", err)
	}
}

func TestAStoreThatCannotBeWrittenIsAnError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(Config{Port: RandomPort, StoreDir: file, Logger: quiet()}); err == nil {
		t.Error("started with a file as its store directory")
	}
}

func TestJetStreamIsOffUnlessAStoreIsGiven(t *testing.T) {
	for dir, want := range map[string]bool{"": false, t.TempDir(): true} {
		js, err := connect(t, start(t, Config{StoreDir: dir})).JetStream()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := js.AccountInfo(); (err == nil) != want {
			t.Errorf("store %q: JetStream answers %v", dir, err)
		}
	}
}

func TestAnInProcessServerOpensNoPort(t *testing.T) {
	s := start(t, Config{InProcess: true})
	nc, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if s.URL() != "" || s.Port() != 0 {
		t.Errorf("URL %q port %d, want none", s.URL(), s.Port())
	}
	s.LameDuck()
	if _, err := s.InProcessConn(); !errors.Is(err, ErrStopped) {
		t.Errorf("after the end: got %v, want ErrStopped", err)
	}
}

func TestTwoServersFindEachOther(t *testing.T) {
	a := start(t, Config{Routes: &Routes{Cluster: "c", Port: RandomPort}})
	b := start(t, Config{Routes: &Routes{Cluster: "c", Port: RandomPort, Peers: []string{a.RouteAddr()}}})
	for end := time.Now().Add(5 * time.Second); a.Peers() != 1 || b.Peers() != 1; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("peers %d and %d, want 1", a.Peers(), b.Peers())
		}
	}
}

func TestALameDuckSendsItsClientsAwayAndStops(t *testing.T) {
	s := start(t, Config{LameDuck: 2 * time.Second})
	notice := make(chan struct{}, 1)
	connect(t, s, nats.LameDuckModeHandler(func(*nats.Conn) { notice <- struct{}{} }), nats.NoReconnect())
	done := make(chan struct{})
	go func() { s.LameDuck(); close(done) }()
	for what, c := range map[string]chan struct{}{"notice": notice, "stop": done} {
		select {
		case <-c:
		case <-time.After(10 * time.Second):
			t.Fatal("no", what)
		}
	}
	s.Shutdown()
	if _, err := nats.Connect(s.URL()); err == nil {
		t.Error("the server still takes clients")
	}
}

func ExampleStart() {
	s, err := Start(Config{Port: RandomPort, Logger: quiet()})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Shutdown()
	nc, err := nats.Connect(s.URL())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer nc.Close()
	fmt.Println(nc.Status())
	// Output: CONNECTED
}
