// Package node runs one member of a mesh as a process: from a plain
// configuration it makes the connection to NATS, joins the mesh, opens the
// caches over their origins and, if asked to, answers health, readiness and
// Prometheus metrics over HTTP.
//
// It is for people who run a process and write no Go; cmd/meshnode is its
// command line. A Go program that wants to read the caches itself embeds
// package mesh instead.
//
// A node takes the process to be its own: it sets Go's soft memory limit by the
// budgets of its caches, unless told otherwise (Config.MemoryLimit).
//
// It reads no environment, no flags and no files but those that its Config
// names, and it installs no signal handlers: that is the caller's part.
package node
