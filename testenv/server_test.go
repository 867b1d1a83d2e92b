package testenv_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/cachemesh/cachemesh/testenv"
)

// echo answers on subject "echo" with what it is asked.
func echo(t *testing.T, nc *nats.Conn) {
	t.Helper()
	if _, err := nc.Subscribe("echo", func(m *nats.Msg) { _ = m.Respond(m.Data) }); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
}

func answers(nc *nats.Conn) bool {
	_, err := nc.Request("echo", nil, time.Second)
	return err == nil
}

func TestAServerComesBackAtItsOldPort(t *testing.T) {
	testenv.Leaks(t)
	for name, s := range map[string]*testenv.Server{"NATS": testenv.NATS(t), "InProcess": testenv.InProcess(t)} {
		nc := s.Connect(t)
		echo(t, s.Connect(t))
		url := s.URL()
		s.Stop()
		s.Stop()
		testenv.Eventually(t, 5*time.Second, name+": the client sees the end", func() bool { return !nc.IsConnected() })
		s.Restart(t)
		testenv.Eventually(t, 5*time.Second, name+": both clients are back", func() bool { return answers(nc) })
		if s.URL() != url {
			t.Errorf("%s: URL %q after the restart, was %q", name, s.URL(), url)
		}
	}
}

func TestOptionsReachTheServer(t *testing.T) {
	s := testenv.NATS(t, testenv.MaxPayload(2<<20), testenv.JetStream())
	nc := s.Connect(t)
	if nc.MaxPayload() != 2<<20 {
		t.Errorf("max payload %d", nc.MaxPayload())
	}
	js, err := nc.JetStream(nats.MaxWait(200 * time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.AddStream(&nats.StreamConfig{Name: "S"}); err != nil {
		t.Fatal(err)
	}
	s.Restart(t)
	testenv.Eventually(t, 10*time.Second, "the stream is still there", func() bool {
		_, err := js.StreamInfo("S")
		return err == nil
	})
}

func TestAClusterCarriesMessagesBetweenItsServersAndOutlivesOne(t *testing.T) {
	testenv.Leaks(t)
	c := testenv.NewCluster(t, 3)
	servers := c.Servers()
	echo(t, servers[0].Connect(t))
	nc := servers[2].Connect(t)
	if !answers(nc) {
		t.Fatal("no answer across the cluster")
	}
	c.Stop(1)
	if !answers(nc) {
		t.Error("no answer with one server down")
	}
	c.Restart(t, 1)
	c.Stop(0)
	testenv.Eventually(t, 10*time.Second, "the client of the dead server moved to another", func() bool { return answers(nc) })
	if !answers(c.Connect(t)) {
		t.Error("no answer to a client of any server")
	}
}

func TestInABubbleMinutesTakeNoTime(t *testing.T) {
	begin := time.Now()
	testenv.Bubble(t, func(t *testing.T) {
		s := testenv.InProcess(t)
		echo(t, s.Connect(t))
		link := testenv.NewLink(t, s)
		nc := link.Connect(t, nats.PingInterval(time.Second))
		link.Delay(time.Second, 0)
		start := time.Now()
		if _, err := nc.Request("echo", nil, time.Minute); err != nil || time.Since(start) != 2*time.Second {
			t.Errorf("answer after %v (%v), want 2s", time.Since(start), err)
		}
		link.Heal()
		link.Swallow()
		testenv.Eventually(t, time.Minute, "the client's pings find the black hole", func() bool { return !nc.IsConnected() })
		time.Sleep(10 * time.Minute)
		link.Heal()
		testenv.Eventually(t, time.Minute, "it is back", func() bool { return answers(nc) })
		s.Restart(t)
		testenv.Eventually(t, time.Minute, "it is back after a restart", func() bool { return answers(nc) })
	})
	if d := time.Since(begin); d > 20*time.Second {
		t.Errorf("took %v", d)
	}
}

func ExampleNATS() {
	// In a test: func TestIt(t *testing.T) {
	_ = func(t *testing.T) {
		s := testenv.NATS(t, testenv.MaxPayload(8<<20))
		nc := s.Connect(t)
		fmt.Println(nc.MaxPayload())
	}
}

func ExampleBubble() {
	_ = func(t *testing.T) {
		testenv.Bubble(t, func(t *testing.T) {
			nc := testenv.InProcess(t).Connect(t)
			time.Sleep(time.Hour) // passes at once, with an hour of pings
			fmt.Println(nc.Status())
		})
	}
}

func ExampleNewCluster() {
	_ = func(t *testing.T) {
		c := testenv.NewCluster(t, 3)
		nc := c.Servers()[0].Connect(t)
		c.Stop(0) // nc moves to another server
		testenv.Eventually(t, 5*time.Second, "it has moved", nc.IsConnected)
	}
}
