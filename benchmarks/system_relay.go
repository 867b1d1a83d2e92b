package main

import (
	"context"
	"net"
	"sync"
)

// The relay stands between caller and owner of the direct connection as a broker does, and does
// the least that a broker can: it reads what is there into memory, and writes it on. It looks
// at nothing, and counts nothing.

func newTCPRelay(_ context.Context, s spec) (*system, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go relay(conn, s.Addr)
		}
	}()
	return &system{addr: ln.Addr().String(), close: func() { ln.Close() }}, nil
}

// relay connects conn with addr until either end is closed.
func relay(conn net.Conn, addr string) {
	defer conn.Close()
	to, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer to.Close()
	var both sync.WaitGroup
	both.Go(func() { pass(to, conn) })
	both.Go(func() { pass(conn, to) })
	both.Wait()
}

// pass is not io.Copy, which would leave it all to the kernel: what a broker passes on it has seen.
func pass(to, from net.Conn) {
	defer to.Close() // ends the other direction, too
	defer from.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}
