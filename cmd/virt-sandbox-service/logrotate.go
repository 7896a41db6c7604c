// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/virt-sandbox/virt-sandbox/cmd/internal/flagname"
	"github.com/virt-sandbox/virt-sandbox/helper"
)

func logrotateCommand(manager newManagerFunc) *cobra.Command {
	return &cobra.Command{
		Use:   "logrotate [NAME]…",
		Short: "Run logrotate in running sandboxes",
		Example: `  virt-sandbox-service logrotate
  virt-sandbox-service logrotate web1`,
		Long: `Run logrotate(8) in the sandboxes named, or in all that run: inside, under their
labels, by the host's /etc/logrotate.conf and with state of their own. Sandboxes
that have none are skipped, and one that fails does not stop the others; the
exit status is 1 then. systemctl enable --now virt-sandbox-logrotate.timer has
it done daily.`,
		ValidArgsFunction: completeManyNames,
		RunE: func(c *cobra.Command, args []string) error {
			m, err := manager()
			if err != nil {
				return err
			}
			if len(args) == 0 {
				list, err := m.List(c.Context())
				if err != nil {
					return err
				}
				for _, row := range (filter{running: true}).of(list) {
					args = append(args, row.Name)
				}
			}
			failed := false
			for _, name := range args {
				switch err := m.RotateLogs(c.Context(), name, os.Stderr); {
				case errors.Is(err, helper.ErrNoLogrotate):
					fmt.Printf("%s: skipped, it has no logrotate configuration\n", name)
				case err != nil:
					failed = true
					fmt.Fprintf(os.Stderr, "virt-sandbox-service: %s\n", flagname.Text(err))
				default:
					fmt.Printf("%s: logs rotated\n", name)
				}
				if c.Context().Err() != nil {
					break
				}
			}
			if failed {
				return exitError(statusFailure)
			}
			return nil
		},
	}
}
