package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/cachemesh/cachemesh/node"
)

// Exit codes.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

// errInterrupted is the end of a command that a signal has ended before its time.
var errInterrupted = errors.New("interrupted")

// usageError is a mistake in the command line.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, a ...any) error {
	return &usageError{fmt.Errorf(format, a...)}
}

// report tells the user what went wrong, in a line or two, and gives the exit
// code for it.
func report(w io.Writer, cmd *cobra.Command, err error) int {
	if err == nil {
		return exitOK
	}
	if errors.Is(err, syscall.EPIPE) { // nobody reads on, as head does not
		return exitFailed
	}
	fmt.Fprintf(w, "meshnode: %s\n", oneLine(err))
	if errors.Is(err, errInterrupted) {
		return exitInterrupted
	}
	var usage *usageError
	if errors.As(err, &usage) || errors.Is(err, node.ErrConfig) {
		fmt.Fprintf(w, "Run '%s --help' for how to use it.\n", cmd.CommandPath())
		return exitUsage
	}
	return exitFailed
}

// oneLine: joined errors come with line breaks between them.
func oneLine(err error) string {
	return strings.Join(strings.Split(strings.TrimSpace(err.Error()), "\n"), "; ")
}
