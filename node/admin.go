package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// admin is the HTTP server of a node: for probes, scrapers and the curious.
type admin struct {
	listener net.Listener
	server   *http.Server
	log      *slog.Logger
}

// startAdmin answers on n's HTTP address until close.
func startAdmin(n *Node) (*admin, error) {
	listener, err := net.Listen("tcp", n.cfg.HTTP)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("HTTP: another server listens on %s", n.cfg.HTTP)
	case err != nil:
		return nil, fmt.Errorf("HTTP: %w", err)
	}
	a := &admin{
		listener: listener,
		log:      n.log,
		server: &http.Server{
			Handler:           adminHandler(n),
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       10 * time.Second,
			WriteTimeout:      30 * time.Second,
			IdleTimeout:       time.Minute,
			MaxHeaderBytes:    16 << 10,
			ErrorLog:          slog.NewLogLogger(n.log.Handler(), slog.LevelWarn),
		},
	}
	go func() {
		if err := a.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			a.log.Error("admin server stopped", "error", err)
		}
	}()
	return a, nil
}

// adminHandler answers
//
//	/healthz  200 while the process lives
//	/readyz   200 when the node serves, else 503 and why
//	/metrics  Prometheus
func adminHandler(n *Node) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "ok\n")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := n.Ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		io.WriteString(w, "ready\n")
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry(n), promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(n.log.Handler(), slog.LevelWarn),
		Timeout:  10 * time.Second,
	}))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "a cachemesh member: /healthz /readyz /metrics\n")
	})
	return mux
}

func (a *admin) addr() string { return a.listener.Addr().String() }

// close lets what is under way finish for a moment, then ends it.
func (a *admin) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if a.server.Shutdown(ctx) != nil {
		a.server.Close()
	}
}
