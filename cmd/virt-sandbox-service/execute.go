// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/virt-sandbox/virt-sandbox/internal/enter"
	"github.com/virt-sandbox/virt-sandbox/internal/stdin"
)

func executeCommand(manager newManagerFunc) *cobra.Command {
	var noLabel bool
	command := &cobra.Command{
		Use: "execute [-N] NAME -- COMMAND [ARG]…", Aliases: []string{"exec"},
		Short: "Run a command in a running sandbox",
		Example: `  virt-sandbox-service execute web1 -- systemctl status httpd
  virt-sandbox-service execute db1 -- mysqldump --all-databases >dump.sql`,
		Long: `Run a command as root in a running sandbox: in all its namespaces and cgroups
and under its SELinux label. Standard input, output and error stay apart, unless
input and output are a terminal: then the command gets one too.

The command has pipes, and not the caller's files. Input that is a pipe may be
read ahead; in a loop that reads one, add </dev/null. What the command leaves in
the background is heard for one second more.

The exit status is the command's, 128 and the number of a signal that ended it,
127 for a command that is not there and 126 for one that cannot be executed.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(commandOf(args)) == 0 {
				return errors.New("name a sandbox and a COMMAND")
			}
			return checkNames(args[:1])
		},
		ValidArgsFunction: completeNameAndFiles,
		RunE: func(c *cobra.Command, args []string) error {
			return execute(c, manager, args[0], commandOf(args), noLabel)
		},
	}
	command.Flags().BoolVarP(&noLabel, "noseclabel", "N", false, "keep the caller's SELinux label")
	command.Flags().SetInterspersed(false)
	return command
}

// commandOf returns what follows NAME, with or without -- between them.
func commandOf(args []string) []string {
	switch {
	case len(args) > 1 && args[1] == "--":
		return args[2:]
	case len(args) > 1:
		return args[1:]
	}
	return nil
}

func connectCommand(manager newManagerFunc) *cobra.Command {
	return &cobra.Command{
		Use: "connect NAME", Aliases: []string{"shell"},
		Short:   "Open a root shell in a running sandbox",
		Example: `  virt-sandbox-service connect web1`,
		Long: `Open a root shell in a running sandbox, as execute runs a command. The exit
status is that of the shell.`,
		Args: oneName, ValidArgsFunction: completeNames,
		RunE: func(c *cobra.Command, args []string) error {
			return execute(c, manager, args[0], []string{"/bin/sh", "-l"}, false)
		},
	}
}

func execute(c *cobra.Command, manager newManagerFunc, name string, args []string, noLabel bool) error {
	m, err := manager()
	if err != nil {
		return err
	}
	status, err := m.Execute(c.Context(), name, enter.Command{
		Args:  args,
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Terminal: stdin.IsTerminal(os.Stdin, os.Stdout),
	}, noLabel)
	if err == nil && status != 0 {
		return exitError(status)
	}
	return err
}
