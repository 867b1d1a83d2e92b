package natsd

import "errors"

// ErrPortInUse is returned by Start when another process, often a NATS server, listens on the wanted address.
var ErrPortInUse = errors.New("natsd: port in use")

// ErrConfig is returned by Start for a Config that makes no sense; the text names the field and the rule.
var ErrConfig = errors.New("natsd: bad configuration")

// ErrNotReady is returned by Start when the server did not come up in time.
var ErrNotReady = errors.New("natsd: server not ready")

// ErrStopped is returned by InProcessConn after Shutdown.
var ErrStopped = errors.New("natsd: server stopped")
