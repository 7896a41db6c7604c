package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/virt-sandbox/virt-sandbox/helper/content"
)

func checkCommand(manager newManagerFunc) *cobra.Command {
	var fix, asJSON bool
	command := &cobra.Command{
		Use:   "check [--fix] [--json] NAME",
		Short: "List files of a sandbox whose SELinux label is not its own",
		Long: `List the files of a sandbox's content whose SELinux type or level is not the one
that its config gives them, one in a line with both; the sandbox cannot use
them. With --fix they get the label; nothing else changes the label of a file
that is there, so one that was given another level on purpose keeps it until
then. The exit status is 1 when files were found that are not fixed.

Links are not followed and what is mounted in the content is left out; the
sandbox may be running. A start looks at the content directory and the private
paths only, and warns. Content in an image is mounted for as long as the check
takes.`,
		Args: oneName, ValidArgsFunction: completeNames,
		RunE: func(c *cobra.Command, args []string) error {
			m, err := manager()
			if err != nil {
				return err
			}
			findings, err := m.Check(c.Context(), args[0], fix)
			if err != nil {
				return err
			}
			if asJSON {
				if err := printJSON(findings); err != nil {
					return err
				}
			} else {
				for _, f := range findings {
					fmt.Println(f)
				}
			}
			if slices.ContainsFunc(findings, func(f content.Finding) bool { return !f.Fixed }) {
				return exitError(statusFailure)
			}
			return nil
		},
	}
	command.Flags().BoolVar(&fix, "fix", false, "give these files the sandbox's label")
	command.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return command
}
