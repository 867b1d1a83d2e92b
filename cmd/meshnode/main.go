// Command meshnode runs a member of a cachemesh over NATS, and looks into a
// mesh that runs.
//
//	meshnode demo                                  see a mesh at work on the files here
//	meshnode serve --embed --cache docs=file:.     a first member, with a NATS of its own
//	meshnode serve --cache docs=file:.             a second one joins it
//	meshnode get docs README.md                    read through the mesh
//	meshnode members, stats, invalidate            see and change it
//	meshnode bench docs                            load and measure it
//
// It exits with 0 when it did what was asked, with 1 when that failed and with
// 2 when the command line makes no sense; 130 when a signal ended it before.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// Whoever reads what is written may go away: a member leaves all the same.
	signal.Ignore(syscall.SIGPIPE)
	os.Exit(run(context.Background(), os.Args[1:], streams{os.Stdout, os.Stderr, os.Getenv}))
}

// streams is what a command sees of the process around it.
type streams struct {
	out io.Writer
	err io.Writer
	env func(string) string
}

// run runs one command line and gives its exit code.
func run(ctx context.Context, args []string, s streams) int {
	root := newRoot(s)
	root.SetArgs(args)
	root.SetOut(s.out)
	root.SetErr(s.err)
	cmd, err := root.ExecuteContextC(ctx)
	return report(s.err, cmd, err)
}
