// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/helper"
)

const cloneText = `Make a sandbox NAME that is a copy of SOURCE, its config and its content. Where
the file system can share data between files, as Btrfs and XFS do, that takes no
time and no space; elsewhere files keep their holes. Sockets are left out.

What identifies a sandbox is its own: uuid, machine-id, host name, journal,
random seed, the user ids of create's --idmap, and SSH host keys, which its
first start makes. Without -l and -s the label is that of SOURCE, with a level
that is free. Of template units the instance SOURCE becomes the instance NAME;
what a unit keeps under the name of its instance has to be renamed by hand. All
else stays as in SOURCE, mounts of create's -m too.

A SOURCE that is running is refused, unless --freeze allows to halt all its
processes for as long as the copy takes. What they have not written yet is
missing from the copy, as after a power failure. A start or stop of SOURCE waits
until the copy is made.

SOURCE is not changed, and stays as it was when the verb is killed: one that was
halted runs on at once. Then run it again, or delete NAME (with the -p of the
content's directory where that is not the default).`

func cloneCommand(manager newManagerFunc) *cobra.Command {
	var options helper.CloneOptions
	var security string
	var reporting reporting
	command := &cobra.Command{
		Use:   "clone [--freeze] [-l LEVEL] SOURCE NAME",
		Short: "Make a sandbox that is a copy of another",
		Long:  cloneText,
		Example: `  virt-sandbox-service clone web1 web2
  virt-sandbox-service clone --freeze -l s0:c3,c4 db1 db1-test`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return errors.New("name the SOURCE and the new sandbox")
			}
			if args[0] == args[1] {
				return errors.New(args[1] + " cannot be its own clone; choose another name")
			}
			return checkNames(args)
		},
		ValidArgsFunction: completeNames,
		RunE: func(c *cobra.Command, args []string) error {
			m, err := manager()
			if err != nil {
				return err
			}
			options.Source, options.Name = args[0], args[1]
			if options.Security, err = parseSecurity(security); err != nil {
				return usageError{err}
			}
			return reporting.making(m, options.Name, func() (*config.Sandbox, error) { return m.Clone(c.Context(), options) })
		},
	}
	flags := command.Flags()
	flags.BoolVar(&options.Freeze, "freeze", false, "halt a source that is running for as long as the copy takes")
	reporting.addFlags(command)
	labelFlags(flags, &options.Level, &security, &options.Share)
	flags.StringVarP(&options.Base, "path", "p", "", "`DIR` whose subdirectory NAME holds the content; the one that "+
		"SOURCE's lies in by default")
	return command
}
