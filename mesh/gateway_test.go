package mesh_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/cachemesh/cachemesh/internal/natsd"
	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
	"github.com/cachemesh/cachemesh/testenv"
)

func ask(t *testing.T, nc *nats.Conn, subject, body string) *nats.Msg {
	t.Helper()
	reply, err := nc.Request(subject, []byte(body), 40*time.Second)
	if err != nil {
		t.Fatalf("%s: %v", subject, err)
	}
	return reply
}

func wantCode(t *testing.T, reply *nats.Msg, code int, text string) {
	t.Helper()
	if got := reply.Header.Get(micro.ErrorCodeHeader); got != strconv.Itoa(code) || !strings.Contains(reply.Header.Get(micro.ErrorHeader), text) || len(reply.Data) > 0 {
		t.Errorf("code %s, %q, %d bytes; want %d with %q", got, reply.Header.Get(micro.ErrorHeader), len(reply.Data), code, text)
	}
}

func TestAnyClientReadsAndInvalidates(t *testing.T) {
	bubble(t, 3, func(t *testing.T, w *town) {
		o := testenv.NewOrigin()
		caches := open(w, "c", loader.Func[[]byte](func(ctx context.Context, req loader.Request[[]byte]) (loader.Item[[]byte], error) {
			item, err := o.Load(ctx, req)
			if item.ETag = "tag-1"; req.Key == "forever" {
				item.TTL = mesh.NoExpiry
			}
			return item, err
		}), mesh.Options{TTL: time.Minute, Jitter: -1})
		client := w.server.Connect(t)
		reply := ask(t, client, "mesh.default.get.c", "k")
		if string(reply.Data) != "k#1" || reply.Header.Get(mesh.HeaderSource) != "loaded" || reply.Header.Get(mesh.HeaderOwner) != w.meshes[0].Owner("c", "k") ||
			reply.Header.Get(mesh.HeaderETag) != "tag-1" || reply.Header.Get(mesh.HeaderAge) != "0.000" || reply.Header.Get(mesh.HeaderTTL) != "60.000" || reply.Header.Get(micro.ErrorCodeHeader) != "" {
			t.Errorf("%q, %v", reply.Data, reply.Header)
		}
		time.Sleep(10 * time.Second)
		for range 20 { // whoever of the members answers
			reply = ask(t, client, "mesh.default.get.c", "k")
			ttl, _ := strconv.ParseFloat(reply.Header.Get(mesh.HeaderTTL), 64)
			age, _ := strconv.ParseFloat(reply.Header.Get(mesh.HeaderAge), 64)
			if string(reply.Data) != "k#1" || age < 10 || age > 10.1 || ttl > 50 || ttl < 49.9 || !slices.Contains([]string{"local", "owner", "replica"}, reply.Header.Get(mesh.HeaderSource)) {
				t.Fatalf("%q, %v", reply.Data, reply.Header)
			}
		}
		if reply = ask(t, client, "mesh.default.get.c", "forever"); reply.Header.Get(mesh.HeaderTTL) != "" {
			t.Errorf("what never expires has a TTL of %s", reply.Header.Get(mesh.HeaderTTL))
		}
		reply = ask(t, client, "mesh.default.invalidate.c", "k")
		if len(reply.Data) > 0 || reply.Header.Get(micro.ErrorCodeHeader) != "" {
			t.Errorf("%q, %v", reply.Data, reply.Header)
		}
		for _, c := range caches {
			got, err := c.Get(w.ctx, "k")
			want(t, got, err, "k#2")
		}
	})
}

func TestClientsAreToldErrorsByCode(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		free := make(chan struct{})
		t.Cleanup(func() { close(free) })
		open(w, "c", loader.Of(func(ctx context.Context, key string) ([]byte, error) {
			switch key {
			case "absent":
				return nil, mesh.ErrNotFound
			case "failing":
				return nil, errors.New("disk on fire\r\nContent: forged")
			case "large":
				return make([]byte, 2<<20), nil
			case "larger":
				return make([]byte, 3<<20+1), nil
			case "panic":
				panic("lost a wheel")
			case "slow":
				<-free
			}
			return []byte(key), nil
		}), mesh.Options{MaxLoads: 1, LoadTimeout: 2 * time.Second, MaxValueBytes: 3 << 20})
		client := w.server.Connect(t)
		const get, invalidate = "mesh.default.get.c", "mesh.default.invalidate.c"
		wantCode(t, ask(t, client, get, ""), 400, "bad key")
		wantCode(t, ask(t, client, get, strings.Repeat("k", 65537)), 400, "65536")
		wantCode(t, ask(t, client, invalidate, ""), 400, "bad key")
		wantCode(t, ask(t, client, get, "absent"), 404, "not found")
		wantCode(t, ask(t, client, get, "large"), 413, "2097152")
		wantCode(t, ask(t, client, get, "larger"), 413, "too large")
		wantCode(t, ask(t, client, get, "panic"), 500, "panicked")
		reply := ask(t, client, get, "failing")
		if wantCode(t, reply, 500, "disk on fire"); reply.Header.Get("Content") != "" {
			t.Error("an error's words forge a header")
		}
		var slow, queued string // a load that hangs, and one on the same member that has to wait for it
		for _, id := range []string{"m0", "m1"} {
			if w.meshes[0].Owner("c", "slow") == id {
				slow, queued = "slow", w.keyOf("c", id)
			}
		}
		wantCode(t, ask(t, client, get, slow), 500, "LoadTimeout")
		wantCode(t, ask(t, client, get, queued), 429, "loads under way")
	})
}

func TestAClientIsToldThatNobodyServes(t *testing.T) {
	bubble(t, 1, func(t *testing.T, w *town) {
		client := w.server.Connect(t)
		_, err := client.Request("mesh.default.get.c", []byte("k"), time.Second)
		wantErr(t, err, nats.ErrNoResponders)
		c := open[[]byte](w, "c", testenv.NewOrigin(), mesh.Options{})[0]
		served := func() bool {
			_, err := client.Request("mesh.default.get.c", []byte("k"), time.Second)
			return err == nil
		}
		w.soon("the cache is served", served)
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		w.soon("nobody serves it", func() bool { return !served() })
		_, err = client.Request("mesh.default.get.c", []byte("k"), time.Second)
		wantErr(t, err, nats.ErrNoResponders)
	})
}

func TestMembersAreSeenAsANATSService(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *town) {
		open[[]byte](w, "users", testenv.NewOrigin(), mesh.Options{})
		open[[]byte](w, "items", testenv.NewOrigin(), mesh.Options{})
		client := w.server.Connect(t)
		ask(t, client, "mesh.default.get.users", "k")
		ask(t, client, "mesh.default.get.users", "k")
		wantCode(t, ask(t, client, "mesh.default.get.users", ""), 400, "")
		gather := func(subject string) (replies [][]byte) {
			t.Helper()
			inbox := client.NewRespInbox()
			sub, err := client.SubscribeSync(inbox)
			if err != nil {
				t.Fatal(err)
			}
			defer sub.Unsubscribe()
			if err := client.PublishRequest(subject, inbox, nil); err != nil {
				t.Fatal(err)
			}
			for {
				msg, err := sub.NextMsg(time.Second)
				if err != nil || msg.Header.Get("Status") == "503" {
					return replies
				}
				replies = append(replies, msg.Data)
			}
		}
		for _, verb := range []micro.Verb{micro.PingVerb, micro.InfoVerb, micro.StatsVerb} {
			for id, n := range map[string]int{"": 2, "m0": 1, "nobody": 0} {
				name := mesh.ServiceName
				subject, err := micro.ControlSubject(verb, name, id)
				if err != nil {
					t.Fatal(err)
				}
				if got := len(gather(subject)); got != n {
					t.Errorf("%d answers on %s", got, subject)
				}
			}
			subject, _ := micro.ControlSubject(verb, "", "")
			replies := gather(subject)
			if len(replies) != 2 {
				t.Errorf("%d answers on %s", len(replies), subject)
			}
			var requests, failures int
			for _, data := range replies {
				var id micro.ServiceIdentity
				var kind string
				switch verb {
				case micro.PingVerb:
					var p micro.Ping
					strict(t, data, &p)
					id, kind = p.ServiceIdentity, p.Type
				case micro.InfoVerb:
					var i micro.Info
					strict(t, data, &i)
					id, kind = i.ServiceIdentity, i.Type
					var subjects []string
					for _, e := range i.Endpoints {
						subjects = append(subjects, e.Subject)
					}
					slices.Sort(subjects)
					if strings.Join(subjects, " ") != "mesh.default.get.items mesh.default.get.users mesh.default.invalidate.items mesh.default.invalidate.users" {
						t.Errorf("the endpoints are %v", subjects)
					}
				case micro.StatsVerb:
					var s micro.Stats
					strict(t, data, &s)
					id, kind = s.ServiceIdentity, s.Type
					for _, e := range s.Endpoints {
						requests += e.NumRequests
						failures += e.NumErrors
						var inner mesh.Stats
						if err := json.Unmarshal(e.Data, &inner); err != nil || inner.Member != id.ID || len(inner.Caches) != 2 {
							t.Errorf("the data of %s is %s", e.Name, e.Data)
						}
					}
				}
				if id.Name != mesh.ServiceName || id.Version != mesh.Version || id.Metadata["mesh"] != "default" || !strings.Contains(kind, strings.ToLower(verb.String())) {
					t.Errorf("%v: %+v, type %s", verb, id, kind)
				}
			}
			if verb == micro.StatsVerb && (requests != 3 || failures != 1) {
				t.Errorf("%d requests and %d errors", requests, failures)
			}
		}
	})
}

func strict(t *testing.T, data []byte, v any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		t.Errorf("%s: %v", data, err)
	}
}

func TestAPrivateMemberAnswersNobodyOutside(t *testing.T) {
	bubble(t, 0, func(t *testing.T, w *town) {
		for _, id := range []string{"p0", "p1"} {
			w.join(mesh.Config{ID: id, Private: true})
		}
		caches := open[[]byte](w, "c", testenv.NewOrigin(), mesh.Options{})
		got, err := caches[0].Get(w.ctx, w.keyOf("c", "p1"))
		if err != nil || len(got) == 0 {
			t.Error(err)
		}
		client := w.server.Connect(t)
		for _, subject := range []string{"mesh.default.get.c", "mesh.default.invalidate.c", "$SRV.PING", "$SRV.INFO.cachemesh", "$SRV.STATS.cachemesh.p0"} {
			if _, err := client.Request(subject, []byte("k"), time.Second); !errors.Is(err, nats.ErrNoResponders) {
				t.Errorf("%s: %v", subject, err)
			}
		}
	})
}

func TestAClientIsToldOfAnErrorThatNoMessageTakes(t *testing.T) {
	bubble(t, 1, func(t *testing.T, w *town) {
		from := loader.Of(func(_ context.Context, key string) ([]byte, error) {
			return nil, errors.New(strings.Repeat("x", 2<<20))
		})
		open[[]byte](w, "c", from, mesh.Options{})
		msg, err := w.conns[0].Request("mesh.default.get.c", []byte("k"), 10*time.Second)
		if err != nil || !strings.Contains(msg.Header.Get("Nats-Service-Error"), "xxxx") {
			t.Fatal(err)
		}
	})
}

func TestClientsAreAnsweredWhileMembersLeave(t *testing.T) {
	s := testenv.NATS(t)
	w := newTown(t, s, 1)
	from := loader.Of(func(_ context.Context, key string) ([]byte, error) { return []byte(key), nil })
	open[[]byte](w, "c", from, mesh.Options{})
	nc := s.Connect(t)
	var stop atomic.Bool
	var asked, timeouts, refused atomic.Int64
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for i := 0; !stop.Load(); i++ {
				asked.Add(1)
				msg, err := nc.Request("mesh.default.get.c", []byte(fmt.Sprint("k", g, i%50)), time.Second)
				if err != nil {
					timeouts.Add(1)
				} else if msg.Header.Get("Nats-Service-Error-Code") != "" {
					refused.Add(1)
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	for i := range 4 {
		m := w.join(mesh.Config{ID: fmt.Sprint("x", i), Heartbeat: 300 * time.Millisecond})
		openOn[[]byte](w, m, "c", from, mesh.Options{})
		time.Sleep(300 * time.Millisecond)
		if err := m.Leave(w.ctx); err != nil {
			t.Error(err)
		}
	}
	time.Sleep(1200 * time.Millisecond)
	stop.Store(true)
	wg.Wait()
	if timeouts.Load()+refused.Load() > 0 {
		t.Errorf("%d requests, %d timed out, %d refused", asked.Load(), timeouts.Load(), refused.Load())
	}
}

func TestReadsThatWaitForALoadKeepNoInvalidationOut(t *testing.T) {
	bubble(t, 1, func(t *testing.T, w *town) {
		o := testenv.NewOrigin()
		open(w, "c", o, mesh.Options{LoadTimeout: 20 * time.Second})
		client := w.server.Connect(t)
		o.Hold()
		defer o.Release()
		answers := make(chan *nats.Msg, 2000)
		inbox := client.NewInbox()
		if _, err := client.ChanSubscribe(inbox, answers); err != nil {
			t.Fatal(err)
		}
		for range 1500 {
			if err := client.PublishRequest("mesh.default.get.c", inbox, []byte("slow")); err != nil {
				t.Fatal(err)
			}
		}
		wantCode(t, <-answers, 429, "too many requests")
		if reply := ask(t, client, "mesh.default.invalidate.c", "another"); reply.Header.Get(micro.ErrorCodeHeader) != "" {
			t.Errorf("an invalidation: %v", reply.Header)
		}
	})
}

func TestAClientGetsWhatASmallMessageTakes(t *testing.T) {
	srv, err := natsd.Start(natsd.Config{Port: natsd.RandomPort, MaxPayload: 4096, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Shutdown)
	nc, err := nats.Connect(srv.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	m, err := mesh.Join(t.Context(), nc, mesh.Config{Heartbeat: 50 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = mesh.NewCache(m, "c", loader.Of(func(_ context.Context, key string) ([]byte, error) {
		n, err := strconv.Atoi(key)
		return make([]byte, n), err
	}), mesh.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if reply := ask(t, nc, "mesh.default.get.c", "3500"); len(reply.Data) != 3500 {
		t.Errorf("%d bytes, %v", len(reply.Data), reply.Header)
	}
	wantCode(t, ask(t, nc, "mesh.default.get.c", "4096"), 413, "4096")
}

func TestAClientIsToldThatAValueIsStale(t *testing.T) {
	bubble(t, 1, func(t *testing.T, w *town) {
		opts := mesh.Options{TTL: 10 * time.Second, StaleIfError: time.Hour}
		from := newSource()
		open[string](w, "c", from, opts)
		client := w.server.Connect(t)
		if got := ask(t, client, "mesh.default.get.c", "k").Header.Get(mesh.HeaderStale); got != "" {
			t.Errorf("a fresh one: %q", got)
		}
		from.fail(errDisk)
		time.Sleep(20 * time.Second)
		if got := ask(t, client, "mesh.default.get.c", "k").Header.Get(mesh.HeaderStale); got != "true" {
			t.Errorf("one past its TTL: %q", got)
		}
	})
}
