package testenv

import (
	"net"
	"sync"
)

// pipe is one connection over a link.
type pipe struct {
	link   *Link
	client net.Conn
	up     *lane // to the server
	down   *lane // to the client
	done   chan struct{}

	mu     sync.Mutex // guards server and closed
	server net.Conn   // nil until dialled
	closed bool
}

func newPipe(l *Link, client net.Conn) *pipe {
	p := &pipe{link: l, client: client, done: make(chan struct{})}
	p.up, p.down = newLane(l, ToServer, p.done), newLane(l, ToClient, p.done)
	return p
}

// run carries the connection until both ends have closed or the link is cut.
func (p *pipe) run() {
	var lanes sync.WaitGroup
	defer lanes.Wait()
	defer p.close()
	lanes.Go(func() { p.up.read(p.client) })
	// Nothing passes a black hole, so the server does not even see the connect before it is over.
	for p.link.swallows(ToServer) {
		if p.up.over() || !p.up.sleep(0) {
			return
		}
	}
	server, err := p.link.server.dial()
	if err != nil || !p.attach(server) {
		return
	}
	var writes sync.WaitGroup
	lanes.Go(func() { p.down.read(server) })
	writes.Go(func() { p.up.write(server) })
	writes.Go(func() { p.down.write(p.client) })
	writes.Wait()
}

// attach is false when the pipe was closed while the server was dialled.
func (p *pipe) attach(server net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		server.Close()
		return false
	}
	p.server = server
	return true
}

// close cuts the connection on both sides at once; what is on its way is lost.
func (p *pipe) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.closed = true
	close(p.done)
	reset(p.client)
	if p.server != nil {
		reset(p.server)
	}
}

// reset closes a connection without sending what is still buffered.
func reset(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	c.Close()
}
