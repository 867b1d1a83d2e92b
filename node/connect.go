package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/cachemesh/cachemesh/internal/natsd"
)

// dialTimeout bounds the attempt to reach one server.
const dialTimeout = 3 * time.Second

// checkURLs refuses what nats.Connect would take for the name of a host.
func checkURLs(list string) error {
	for _, text := range strings.Split(list, ",") {
		text = strings.TrimSpace(text)
		if !strings.Contains(text, "://") {
			text = "nats://" + text
		}
		u, err := url.Parse(text)
		switch {
		case err != nil:
			return configErrorf("NATS URL %s: it must be like nats://host:4222", redacted(text))
		case !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme):
			return configErrorf("NATS URL %s: its scheme must be nats, tls, ws or wss", redacted(text))
		case u.Hostname() == "" || strings.Contains(u.Hostname(), ":") && !strings.HasPrefix(u.Host, "["):
			return configErrorf("NATS URL %s: it names no host; it must be like nats://host:4222", redacted(text))
		}
	}
	return nil
}

// connect makes the connection of a node, with the options that a mesh wants:
//
//   - It reconnects for ever and soon, and an authorisation that is gone for a
//     moment does not end it.
//   - Nothing is buffered while it is cut off: an announcement delivered late
//     would be about a past that no longer holds.
//   - A peer that no longer reads is found by the flusher within 2 s, a silent
//     one by pings within 30 s; until then callers would wait on the socket.
//   - A subscription that the server denies is an error, not silence.
func connect(ctx context.Context, cfg Config, url string, closed func()) (*nats.Conn, error) {
	log := cfg.Logger
	name := "cachemesh " + cfg.Mesh
	if cfg.ID != "" {
		name += " " + cfg.ID
	}
	opts := []nats.Option{
		nats.Name(name),
		nats.Timeout(dialTimeout),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(250 * time.Millisecond),
		nats.ReconnectJitter(100*time.Millisecond, 500*time.Millisecond),
		nats.IgnoreAuthErrorAbort(),
		nats.ReconnectBufSize(-1),
		nats.FlusherTimeout(2 * time.Second),
		nats.ReconnectOnFlusherError(),
		nats.PingInterval(10 * time.Second),
		nats.MaxPingsOutstanding(2),
		nats.PermissionErrOnSubscribe(true),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil { // nil: closed on purpose
				log.Warn("disconnected from NATS", "error", err)
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			log.Info("connected to NATS again", "url", nc.ConnectedUrlRedacted())
		}),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			logAsync(log, sub, err)
		}),
		nats.ClosedHandler(func(*nats.Conn) { closed() }),
	}
	if cfg.Creds != "" && !cfg.Embed {
		opts = append(opts, nats.UserCredentials(cfg.Creds))
	}
	// nats.Connect takes no context. When ctx is done first, the connection is
	// closed as soon as it turns up.
	type result struct {
		nc  *nats.Conn
		err error
	}
	done := make(chan result, 1)
	go func() {
		nc, err := nats.Connect(url, opts...)
		done <- result{nc, err}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			return nil, connectError(url, r.err)
		}
		return r.nc, nil
	case <-ctx.Done():
		go func() {
			if r := <-done; r.nc != nil {
				r.nc.Close()
			}
		}()
		return nil, fmt.Errorf("connect to NATS at %s: %w", redacted(url), context.Cause(ctx))
	}
}

// connectError says what a failed connection means for who started the node.
func connectError(url string, err error) error {
	at := redacted(url)
	switch {
	case errors.Is(err, nats.ErrNoServers), errors.Is(err, nats.ErrTimeout):
		return fmt.Errorf("%w at %s", ErrNoNATS, at)
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked):
		return fmt.Errorf("NATS at %s refuses these credentials: %w", at, err)
	case strings.Contains(err.Error(), "parse"):
		return configErrorf("NATS URL %q: write nats://HOST:PORT", at)
	}
	return fmt.Errorf("connect to NATS at %s: %w", at, err)
}

// logAsync logs what nats.go reports from behind the scenes.
func logAsync(log *slog.Logger, sub *nats.Subscription, err error) {
	attrs := []any{"error", err}
	if sub != nil {
		attrs = append(attrs, "subject", sub.Subject)
	}
	log.Warn("NATS reports", attrs...)
}

// startEmbedded starts the embedded server of a node.
func startEmbedded(cfg Config) (*natsd.Server, error) {
	host, port, err := embedAddr(cfg.EmbedAddr)
	if err != nil {
		return nil, err
	}
	if port == 0 {
		port = natsd.RandomPort
	}
	server, err := natsd.Start(natsd.Config{Host: host, Port: port, Logger: cfg.Logger})
	switch {
	case errors.Is(err, natsd.ErrPortInUse):
		return nil, fmt.Errorf("%w: a server listens on %s already", ErrAddrInUse, cfg.EmbedAddr)
	case errors.Is(err, natsd.ErrConfig):
		return nil, configErrorf("embedded NATS: %v", err)
	case err != nil:
		return nil, fmt.Errorf("start the embedded NATS: %w", err)
	}
	return server, nil
}
