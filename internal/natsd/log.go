package natsd

import (
	"fmt"
	"log/slog"
)

// logger passes nats-server's log to slog, one level down: what a server notes as it starts is a detail of this
// process. nats-server reports a failed start to its log alone, so the first fatal line is kept for Start.
type logger struct {
	to    *slog.Logger
	fatal chan string // holds one
}

func newLogger(to *slog.Logger) *logger {
	if to == nil {
		to = slog.Default()
	}
	return &logger{to: to.With("component", "nats-server"), fatal: make(chan string, 1)}
}

func (l *logger) Noticef(format string, v ...any) { l.to.Debug(fmt.Sprintf(format, v...)) }
func (l *logger) Debugf(format string, v ...any)  { l.to.Debug(fmt.Sprintf(format, v...)) }
func (l *logger) Tracef(format string, v ...any)  { l.to.Debug(fmt.Sprintf(format, v...)) }
func (l *logger) Warnf(format string, v ...any)   { l.to.Warn(fmt.Sprintf(format, v...)) }
func (l *logger) Errorf(format string, v ...any)  { l.to.Error(fmt.Sprintf(format, v...)) }

func (l *logger) Fatalf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	select {
	case l.fatal <- text:
	default:
		l.to.Error(text)
	}
}
