package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// newRoot is the whole command line. Each subcommand is a file.
func newRoot(s streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "meshnode",
		Short: "Run and inspect a cachemesh: a read-through cache shared over NATS",
		Long: `meshnode runs a member of a cachemesh, a read-through cache that processes
share over NATS, and looks into a mesh that runs.

  meshnode demo                               see a mesh at work on the files here
  meshnode serve --embed --cache docs=file:.  a first member, with a NATS of its own
  meshnode serve --cache docs=file:.          a second one joins it
  meshnode get docs README.md                 read through the mesh`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.ArbitraryArgs, // what is no subcommand arrives at RunE
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			err := fmt.Sprintf("unknown command %q", args[0])
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				err += ": did you mean " + strings.Join(near, " or ") + "?"
			}
			return usagef("%s", err)
		},
	}
	root.SuggestionsMinimumDistance = 2
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	root.SetHelpCommand(newHelp())
	root.AddCommand(
		newServe(s),
		newGet(s),
		newInvalidate(s),
		newMembers(s),
		newStats(s),
		newBench(s),
		newDemo(s),
		newVersion(s),
	)
	checkShells(root)
	return root
}

// newHelp is cobra's help command, but for a topic that there is not: that is a
// mistake like any other.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Help about any command",
		RunE: func(cmd *cobra.Command, topic []string) error {
			about, rest, err := cmd.Root().Find(topic)
			if err != nil || len(rest) > 0 {
				return usagef("there is no command %q to help with", strings.Join(topic, " "))
			}
			return about.Help()
		},
	}
}

// checkShells makes a shell that cobra has no completion for a mistake like any other.
func checkShells(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	c, _, err := root.Find([]string{"completion"})
	if err != nil || c == root {
		return
	}
	c.Args = cobra.ArbitraryArgs // what is no shell arrives at RunE
	c.RunE = func(cmd *cobra.Command, got []string) error {
		if len(got) == 0 {
			return cmd.Help()
		}
		var shells []string
		for _, shell := range cmd.Commands() {
			shells = append(shells, shell.Name())
		}
		return usagef("there is no completion for %q: there is for %s", got[0], strings.Join(shells, ", "))
	}
	for _, shell := range c.Commands() {
		shell.Args = args(cobra.NoArgs, "")
	}
}

// args makes a mistake in the number of arguments a usage error that says what
// belongs there.
func args(check cobra.PositionalArgs, want string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, got []string) error {
		if check(cmd, got) == nil {
			return nil
		}
		if want == "" {
			return usagef("%s takes no arguments, it was given %q", cmd.Name(), got[0])
		}
		return usagef("%s takes %s, it was given %s", cmd.Name(), want, count(len(got), "argument"))
	}
}
