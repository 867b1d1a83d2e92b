package main

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
)

// newNATS asks by one Request a get: what a program writes that has only nats.go.
func newNATS(_ context.Context, s spec) (*system, error) {
	nc, err := nats.Connect(s.URL)
	if err != nil {
		return nil, err
	}
	return &system{
		get: func(_ context.Context, key string) (int, error) {
			m, err := nc.Request("bench", []byte(key), 10*time.Second)
			if err != nil {
				return 0, err
			}
			return len(m.Data), nil
		},
		close: nc.Close,
	}, nil
}

// newNATSOwner answers them from a map, inline.
func newNATSOwner(_ context.Context, s spec) (*system, error) {
	nc, err := nats.Connect(s.URL)
	if err != nil {
		return nil, err
	}
	held := map[string][]byte{} // of the subscription's one goroutine
	_, err = nc.Subscribe("bench", func(m *nats.Msg) {
		v, ok := held[string(m.Data)]
		if !ok {
			key := string(m.Data)
			v, _ = valueOf(key)
			held[key] = v
		}
		_ = m.Respond(v)
	})
	if err == nil {
		err = nc.Flush()
	}
	if err != nil {
		nc.Close()
		return nil, err
	}
	return &system{close: nc.Close}, nil
}
