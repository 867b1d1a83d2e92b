// Package testenv is what tests of programs on cachemesh stand on: NATS servers, links that fail on command, an origin
// that counts, and whole meshes in one process.
//
//	func TestMyCache(t *testing.T) {
//		s := testenv.NATS(t)
//		link := testenv.NewLink(t, s)
//		nc := link.Connect(t)
//		// ... join a mesh over nc, then:
//		link.Cut()
//	}
//
// Everything that is started ends by itself in tb.Cleanup, in the reverse order. Nothing here needs a NATS on the
// machine, an open port beyond the loopback address, or a fixed port number.
//
// NATS and NewCluster are real servers on loopback ports, in real time. InProcess opens no port, so that it also runs
// inside Bubble, where time is virtual (testing/synctest) and an hour of heartbeats passes in a second.
//
// The package promise beside this one judges what a cache answered.
package testenv
