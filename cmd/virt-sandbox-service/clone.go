package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/helper"
)

func cloneCommand(manager newManagerFunc) *cobra.Command {
	var options helper.CloneOptions
	command := &cobra.Command{
		Use:   "clone [--freeze] [-l LEVEL] SOURCE NAME",
		Short: "Make a sandbox that is a copy of another",
		Long: `Make a sandbox that is a copy of another: its config and its content, which
costs next to nothing where the file system shares data between files.

It gets what identifies a sandbox of its own: uuid, machine-id, host name, SSH
host keys, journal, user ids, and without -l and -s a free level. An instance
SOURCE of a template unit becomes the instance NAME.

A source that is running is refused, unless --freeze allows to halt all its
processes for as long as the copy takes; what they have not written yet is
missing from the copy, as after a power failure.`,
		Example: `  virt-sandbox-service clone web1 web2
  virt-sandbox-service clone --freeze -l s0:c3,c4 db1 db1-test`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usageError{fmt.Errorf("takes SOURCE and NAME, not %d arguments", len(args))}
			}
			return nil
		},
		ValidArgsFunction: completeNames,
		RunE: func(c *cobra.Command, args []string) error {
			m, err := manager()
			if err != nil {
				return err
			}
			options.Source, options.Name = args[0], args[1]
			s, err := m.Clone(c.Context(), options)
			if err != nil {
				return err
			}
			printMade(m, s)
			return nil
		},
	}
	flags := command.Flags()
	flags.BoolVar(&options.Freeze, "freeze", false, "halt a source that is running for as long as the copy takes")
	labelFlags(flags, &options.Level, &options.Security, &options.Share)
	flags.StringVarP(&options.Base, "path", "p", "", "`DIR` whose subdirectory NAME holds the content (that of SOURCE)")
	return command
}

// printMade tells what a new sandbox consists of.
func printMade(m *helper.Manager, s *config.Sandbox) {
	fmt.Printf("Created sandbox container dir %s\n", s.Content)
	fmt.Printf("Created sandbox config %s\n", m.Store.Path(s.Name))
	fmt.Printf("Created unit file %s\n", helper.UnitFile(s))
}
