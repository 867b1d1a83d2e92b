// Package natsd runs a nats-server inside this process.
//
// Start returns a server that is ready for clients, or an error that says what is in the way. A server is ended by
// Shutdown, or by LameDuck when its clients should move to another server first; both return within a bound. The
// server takes no signals and writes no files of its own unless a JetStream store is asked for; its log goes to slog.
//
// Together with testenv, this is the only package that compiles nats-server.
package natsd
