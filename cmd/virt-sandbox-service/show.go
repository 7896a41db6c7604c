// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/overview"
	"github.com/virt-sandbox/virt-sandbox/internal/printable"
	"github.com/virt-sandbox/virt-sandbox/internal/textmerge"
)

// shown is what show tells of a sandbox, as scripts read it.
type shown struct {
	Name     string             `json:"name"`
	Settings []overview.Setting `json:"settings"`
}

func showCommand(manager newManagerFunc) *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:   "show [--json] NAME…",
		Short: "Show the descriptions of sandboxes, and who says what",
		Example: `  virt-sandbox-service show web1
  virt-sandbox-service show --json web1 web2`,
		Long: `Show what a sandbox is: what its config asks for, what was found or allocated
beside that, and the default of what nobody says. Behind each setting stands the
file and line that says it. What a config says wins over what was allocated.`,
		Args: someNames, ValidArgsFunction: completeManyNames,
		RunE: func(_ *cobra.Command, args []string) error {
			m, err := manager()
			if err != nil {
				return err
			}
			var list []shown
			for _, name := range unique(args) {
				described, err := overview.Settings(m.Store, name)
				if err != nil {
					return err
				}
				list = append(list, shown{name, described})
			}
			if asJSON {
				return printJSON(list)
			}
			return printSettings(os.Stdout, list)
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print a JSON array of what there is of each")
	return command
}

// printSettings writes descriptions as configs are written, with where each line comes from behind it.
func printSettings(out io.Writer, list []shown) error {
	for n, s := range list {
		section := ""
		for _, setting := range s.Settings {
			heading := ""
			if setting.Section != section {
				section = setting.Section
				heading = "[" + section + "]\n"
				if n > 0 || setting != s.Settings[0] {
					heading = "\n" + heading
				}
			}
			line := config.EntryText(textmerge.Entry{Section: setting.Section, Key: setting.Key, Value: setting.Value})
			source := setting.Source
			switch {
			case setting.File != "":
				source += fmt.Sprintf(" %s:%d", setting.File, setting.Line)
			case setting.Value == "" && source == overview.SourceAllocated:
				line, source = setting.Key+"=", source+" when it is made"
			}
			if _, err := fmt.Fprintf(out, "%s%-40s  # %s\n", heading, printable.Line(line), source); err != nil {
				return fmt.Errorf("print descriptions: %w", err)
			}
		}
	}
	return nil
}
