package testenv_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/cachemesh/cachemesh/mesh"
)

func TestJoinSaysWhatNATSDoesNotAllow(t *testing.T) {
	mayNot := func(name string, publish, subscribe []string) *server.User {
		p := &server.Permissions{}
		if publish != nil {
			p.Publish = &server.SubjectPermission{Deny: publish}
		}
		if subscribe != nil {
			p.Subscribe = &server.SubjectPermission{Deny: subscribe}
		}
		return &server.User{Username: name, Password: "x", Permissions: p}
	}
	srv, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true,
		Users: []*server.User{
			mayNot("free", nil, []string{"$SRV.>"}),
			mayNot("deaf", nil, []string{"mesh.>"}),
			mayNot("deaf to all", nil, []string{"mesh.default.all.*", "$SRV.>"}),
			mayNot("dumb", []string{"mesh.default.>"}, nil),
			mayNot("dumb to one", []string{"mesh.default.to.>"}, nil),
			mayNot("asks nobody", []string{"mesh.default.ask.>"}, []string{"$SRV.>"}),
			mayNot("answers nobody", []string{"mesh.default.ans.>"}, nil),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	go srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(5 * time.Second) {
		t.Fatal("no server")
	}
	join := func(user string, timeout time.Duration) (*mesh.Mesh, error) {
		t.Helper()
		nc, err := nats.Connect(srv.ClientURL(), nats.UserInfo(user, "x"), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		return mesh.Join(ctx, nc, mesh.Config{Heartbeat: 100 * time.Millisecond})
	}
	refused := func(user string, timeout time.Duration) {
		t.Helper()
		_, err := join(user, timeout)
		if !errors.Is(err, nats.ErrPermissionViolation) || !strings.Contains(err.Error(), "mesh.default.>") {
			t.Errorf("%s: %v", user, err)
		}
	}
	for _, user := range []string{"deaf", "deaf to all", "dumb", "dumb to one", "asks nobody", "answers nobody"} { // nobody else is there
		refused(user, 10*time.Second)
	}
	m, err := join("free", 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Leave(context.Background()) }()
	refused("deaf", 10*time.Second)
	refused("dumb", time.Second) // it is waited for as long as the caller likes
}
