package testenv_test

import (
	"bytes"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/cachemesh/cachemesh/testenv"
)

// both runs a test over a link to a listening and to an in-process server.
func both(t *testing.T, f func(t *testing.T, s *testenv.Server, link *testenv.Link)) {
	for name, start := range map[string]func(testing.TB) *testenv.Server{
		"NATS":      func(tb testing.TB) *testenv.Server { return testenv.NATS(tb, testenv.MaxPayload(4<<20)) },
		"InProcess": testenv.InProcess,
	} {
		t.Run(name, func(t *testing.T) {
			testenv.Leaks(t)
			s := start(t)
			echo(t, s.Connect(t))
			f(t, s, testenv.NewLink(t, s))
		})
	}
}

func TestASoundLinkChangesNothing(t *testing.T) {
	both(t, func(t *testing.T, s *testenv.Server, link *testenv.Link) {
		nc := link.Connect(t)
		for _, n := range []int{0, 1, 4096, 100_000, 1 << 20} {
			if int64(n) > nc.MaxPayload() {
				continue
			}
			data := bytes.Repeat([]byte("\r\nMSG"), n/5+1)[:n]
			m, err := nc.Request("echo", data, 5*time.Second)
			if err != nil || !bytes.Equal(m.Data, data) {
				t.Fatalf("%d bytes: %v", n, err)
			}
		}
		m := nats.NewMsg("echo")
		m.Header.Set("k", "v")
		m.Data = []byte("x")
		if r, err := nc.RequestMsg(m, time.Second); err != nil || string(r.Data) != "x" {
			t.Errorf("with a header: %v", err)
		}
		if _, err := nc.Request("nobody", nil, time.Second); !errors.Is(err, nats.ErrNoResponders) {
			t.Errorf("got %v, want no responders", err)
		}
	})
}

func TestACutLinkRefusesUntilItIsHealed(t *testing.T) {
	both(t, func(t *testing.T, s *testenv.Server, link *testenv.Link) {
		nc := link.Connect(t)
		link.Cut()
		testenv.Eventually(t, 5*time.Second, "the client is off", func() bool { return !nc.IsConnected() })
		if _, err := nats.Connect(link.URL(), nats.InProcessServer(inProcess(link))); err == nil {
			t.Error("a connect passed a cut link")
		}
		link.Heal()
		testenv.Eventually(t, 5*time.Second, "the client is back", func() bool { return answers(nc) })
	})
}

// inProcess is nil, and so no option, for a link that has a port.
func inProcess(link *testenv.Link) nats.InProcessConnProvider {
	if link.URL() != "" {
		return nil
	}
	return link
}

func TestTheServerSeesACut(t *testing.T) {
	both(t, func(t *testing.T, s *testenv.Server, link *testenv.Link) {
		far := link.Connect(t)
		if _, err := far.Subscribe("far", func(m *nats.Msg) { _ = m.Respond(nil) }); err != nil {
			t.Fatal(err)
		}
		if err := far.Flush(); err != nil {
			t.Fatal(err)
		}
		near := s.Connect(t)
		link.Cut()
		testenv.Eventually(t, 5*time.Second, "no responders", func() bool {
			_, err := near.Request("far", nil, 100*time.Millisecond)
			return errors.Is(err, nats.ErrNoResponders)
		})
	})
}

func TestADelayedLinkKeepsTheOrder(t *testing.T) {
	both(t, func(t *testing.T, s *testenv.Server, link *testenv.Link) {
		nc := link.Connect(t)
		got := make(chan int, 200)
		if _, err := s.Connect(t).Subscribe("n", func(m *nats.Msg) { got <- len(m.Data) }); err != nil {
			t.Fatal(err)
		}
		if !answers(nc) {
			t.Fatal("no echo")
		}
		link.Delay(30*time.Millisecond, 30*time.Millisecond, testenv.ToServer)
		start := time.Now()
		for i := range 200 {
			if err := nc.Publish("n", make([]byte, i)); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 200 {
			select {
			case n := <-got:
				if n != i {
					t.Fatalf("message %d came as number %d", n, i)
				}
			case <-time.After(5 * time.Second):
				t.Fatalf("message %d did not come", i)
			}
		}
		if d := time.Since(start); d < 30*time.Millisecond {
			t.Errorf("all there after %v", d)
		}
	})
}

func TestALossyLinkLosesMessagesAndNothingElse(t *testing.T) {
	both(t, func(t *testing.T, s *testenv.Server, link *testenv.Link) {
		nc := link.Connect(t, nats.NoReconnect())
		var got atomic.Int64
		sub, err := nc.Subscribe("n", func(m *nats.Msg) { got.Add(1) })
		if err != nil || nc.Flush() != nil {
			t.Fatal(err)
		}
		link.Drop(0.5, testenv.ToClient)
		near := s.Connect(t)
		for range 1000 {
			if err := near.Publish("n", []byte("\r\nPING\r\n")); err != nil {
				t.Fatal(err)
			}
		}
		if err := near.Flush(); err != nil {
			t.Fatal(err)
		}
		if err := nc.Flush(); err != nil { // its PONG comes behind the messages
			t.Fatal(err)
		}
		testenv.Eventually(t, 5*time.Second, "every message has come or is lost", func() bool {
			return got.Load()+int64(link.Lost()) == 1000
		})
		if n := got.Load(); n < 350 || n > 650 {
			t.Errorf("%d of 1000 came, want about half", n)
		}
		link.Heal()
		link.Drop(1, testenv.ToServer)
		if _, err := nc.Request("echo", nil, 50*time.Millisecond); !errors.Is(err, nats.ErrTimeout) {
			t.Errorf("a request that is lost: %v", err)
		}
		if err := sub.Unsubscribe(); err != nil || nc.Flush() != nil || !nc.IsConnected() {
			t.Errorf("the connection was harmed: %v %v", err, nc.Status())
		}
	})
}

func TestABlackHoleTellsNobodyAndHealsLate(t *testing.T) {
	both(t, func(t *testing.T, s *testenv.Server, link *testenv.Link) {
		far := link.Connect(t)
		echoed := make(chan string, 10)
		if _, err := far.Subscribe("far", func(m *nats.Msg) { echoed <- string(m.Data) }); err != nil || far.Flush() != nil {
			t.Fatal(err)
		}
		near := s.Connect(t)
		link.Swallow()
		// No 503: the server still thinks far is there.
		if _, err := near.Request("far", []byte("late"), 100*time.Millisecond); !errors.Is(err, nats.ErrTimeout) {
			t.Errorf("got %v, want a timeout", err)
		}
		if !far.IsConnected() || len(echoed) != 0 {
			t.Error("something passed the black hole")
		}
		// A connect gets no answer, either.
		if nc, err := nats.Connect(link.URL(), nats.Timeout(100*time.Millisecond), nats.InProcessServer(inProcess(link))); err == nil {
			nc.Close()
			t.Error("a connect passed the black hole")
		}
		link.Heal()
		select {
		case m := <-echoed:
			if m != "late" {
				t.Errorf("got %q", m)
			}
		case <-time.After(5 * time.Second):
			t.Error("what was swallowed did not come late")
		}
	})
}

func TestABlackHoleHidesThatTheServerIsDown(t *testing.T) {
	both(t, func(t *testing.T, s *testenv.Server, link *testenv.Link) {
		link.Swallow()
		s.Stop()
		start := time.Now()
		_, err := nats.Connect(link.URL(), nats.Timeout(100*time.Millisecond), nats.InProcessServer(inProcess(link)))
		if err == nil || time.Since(start) < 100*time.Millisecond {
			t.Errorf("the connect failed after %v (%v), want its timeout", time.Since(start), err)
		}
	})
}

func TestAClosedConnectionIsSeenOnlyAfterTheBlackHole(t *testing.T) {
	both(t, func(t *testing.T, s *testenv.Server, link *testenv.Link) {
		far := link.Connect(t)
		if _, err := far.Subscribe("far", func(*nats.Msg) {}); err != nil || far.Flush() != nil {
			t.Fatal(err)
		}
		link.Swallow(testenv.ToServer)
		far.Close()
		near := s.Connect(t)
		if _, err := near.Request("far", nil, 100*time.Millisecond); !errors.Is(err, nats.ErrTimeout) {
			t.Errorf("got %v, want a timeout", err)
		}
		link.Heal()
		testenv.Eventually(t, 5*time.Second, "the server knows that far has gone", func() bool {
			_, err := near.Request("far", nil, 100*time.Millisecond)
			return errors.Is(err, nats.ErrNoResponders)
		})
	})
}

func ExampleNewLink() {
	_ = func(t *testing.T) {
		s := testenv.NATS(t)
		link := testenv.NewLink(t, s)
		nc := link.Connect(t)
		link.Delay(20*time.Millisecond, 5*time.Millisecond)
		link.Drop(0.01, testenv.ToClient)
		fmt.Println(nc.RTT())
		link.Cut()
		link.Heal()
	}
}
