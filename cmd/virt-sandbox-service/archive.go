// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/helper"
)

const importText = `Make a sandbox from an archive of export: from FILE, or from standard input
where it is left out or -. The host must have its units and packages, and no
sandbox of the name.

It keeps uuid, machine-id, journal and keys: it stays the same sandbox. Under
another NAME, and where this host has another sandbox with one of these, it gets
its own as a clone does. Without -l and -s the level is that of the archive;
where that overlaps another sandbox's level, a free one takes its place, and a
warning says so. All files get the label of the sandbox.

The archive may come from anybody: nothing is made outside of the new content,
and no devices; extended attributes other than user.*, file capabilities and
access control lists are left out; a private path that it has no content for is
left out, with a warning, since it would be filled from this host, and copy=yes
of the config is not taken over.

A config that asks for what reaches beyond the sandbox, or that this version
does not know to be harmless, is refused with the lines that do: mounts of the
host, lines of [unit] and [service], the host's network, more capabilities,
another type or profile. Where it has the host's user ids, it is given its own
in their place. --trust allows these lines, copy=yes, and the host's ids.`

func importCommand(manager newManagerFunc) *cobra.Command {
	var options helper.ImportOptions
	var reporting reporting
	var security string
	command := &cobra.Command{
		Use:   "import [-l LEVEL] [--trust] [FILE [NAME]]",
		Short: "Make a sandbox from an archive",
		Long:  importText,
		Example: `  virt-sandbox-service import web1.tar.zst
  ssh host1 virt-sandbox-service export db1 | virt-sandbox-service import - db2`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 2 {
				return errors.New("name a FILE and a sandbox, and no more")
			}
			return checkNames(args[min(1, len(args)):])
		},
		ValidArgsFunction: completeArchive,
		RunE: func(c *cobra.Command, args []string) error {
			m, err := manager()
			if err != nil {
				return err
			}
			if len(args) == 2 {
				options.Name = args[1]
			}
			if options.Security, err = parseSecurity(security); err != nil {
				return usageError{err}
			}
			in := os.Stdin
			if len(args) > 0 && args[0] != "-" {
				if in, err = os.Open(args[0]); err != nil {
					return fmt.Errorf("read archive: %w", err)
				}
				defer in.Close()
			} else if term.IsTerminal(int(in.Fd())) {
				return usageError{errors.New("an archive does not come from a terminal; name a FILE or a pipe")}
			}
			return reporting.making(m, options.Name, func() (*config.Sandbox, error) {
				return m.Import(c.Context(), options, in)
			})
		},
	}
	flags := command.Flags()
	reporting.addFlags(command)
	labelFlags(flags, &options.Level, &security, &options.Share)
	flags.StringVarP(
		&options.Base,
		"path",
		"p",
		"",
		"`DIR` whose subdirectory NAME holds the content; "+config.DefaultContentBase+" by default",
	)
	flags.BoolVar(&options.Trust, "trust", false, "allow what the config asks for beyond the sandbox, and copy=yes")
	return command
}
