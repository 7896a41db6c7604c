// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/virt-sandbox/virt-sandbox/cmd/internal/flagname"
	"github.com/virt-sandbox/virt-sandbox/helper"
)

const upgradeText = `Bring the content of sandboxes, which may be running, up to date with the host's
packages, and turn containers of the original libvirt-sandbox into sandboxes;
see UPGRADES of virt-sandbox-service(1).

Files that are unchanged in the sandbox follow the package; one that was changed
stays, and if the package's has changed too, that lands beside it as NAME.rpmnew
or NAME.dpkg-dist. For each file of which there is something to tell a line of a
word and the path is printed, and at the end a total.

It can be killed at any moment and run again. The exit status is 1 when one of
the sandboxes could not be upgraded.`

func upgradeCommand(manager newManagerFunc) *cobra.Command {
	var options helper.UpgradeOptions
	var all, quiet, asJSON bool
	command := &cobra.Command{
		Use:   "upgrade NAME… | --all",
		Short: "Bring sandboxes up to date with the host's packages",
		Long:  upgradeText,
		Example: `  virt-sandbox-service upgrade --dry-run web1
  virt-sandbox-service upgrade --all --quiet`,
		Args: func(_ *cobra.Command, args []string) error {
			return namesOrAll(args, all)
		},
		ValidArgsFunction: completeUpgradable,
		RunE: func(c *cobra.Command, args []string) error {
			m, err := manager()
			if err != nil {
				return err
			}
			if all {
				if args, err = namesOfAll(m.Store, m.UpgradableNames); err != nil {
					return err
				}
			}
			var results []*helper.Upgraded
			failed := false
			for _, name := range args {
				result, err := m.Upgrade(c.Context(), name, options)
				if err != nil {
					failed, result.Error = true, flagname.Text(err)
					fmt.Fprintf(os.Stderr, "virt-sandbox-service: %s\n", flagname.Text(err))
				}
				if quiet && !result.Changed() {
					continue
				}
				results = append(results, result)
				if !asJSON {
					printUpgraded(result, options.DryRun && neverStarted(m.Store, name))
				}
				if c.Context().Err() != nil {
					break
				}
			}
			if asJSON {
				if err := printJSON(results); err != nil {
					return err
				}
			}
			if failed {
				return exitError(statusFailure)
			}
			return nil
		},
	}
	flags := command.Flags()
	flags.BoolVar(&all, "all", false, "upgrade all sandboxes")
	flags.BoolVar(&options.DryRun, "dry-run", false, "tell what would be done, and change nothing")
	flags.BoolVar(&options.RemoveDropped, "remove-dropped", false, "remove the files that the packages have no more, "+
		"where nobody changed them")
	flags.BoolVarP(&quiet, "quiet", "q", false, "say nothing of sandboxes in which nothing is changed")
	flags.BoolVar(&asJSON, "json", false, "print a JSON array")
	flags.StringArrayVarP(&options.Units, "unitfile", "u", nil, "`UNIT` of a container of the original whose own unit "+
		"file is gone; may be repeated")
	return command
}

// printUpgraded tells what an upgrade did, or of one without content what it will have to.
func printUpgraded(u *helper.Upgraded, never bool) {
	for _, step := range u.Steps {
		fmt.Println(step)
	}
	for _, note := range u.Notes {
		fmt.Println("not carried over: " + note)
	}
	for _, change := range u.Changes {
		fmt.Println(change)
	}
	switch {
	case u.Error != "":
	case never && !u.Changed():
		fmt.Println(u.Name + ": no content yet; its first start makes it")
	default:
		fmt.Println(u.Summary())
	}
}
