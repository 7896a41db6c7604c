package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/virt-sandbox/virt-sandbox/helper"
)

func logrotateCommand(manager newManagerFunc) *cobra.Command {
	return &cobra.Command{
		Use:   "logrotate [NAME]…",
		Short: "Run logrotate in running sandboxes",
		Long: `Run logrotate in the sandboxes named, or in all that run, each under its own
label. virt-sandbox-logrotate.timer does it daily where it is enabled. Sandboxes
without /etc/logrotate.conf are skipped. The exit status is 1 when it failed in
one of them; the others are rotated all the same.`,
		ValidArgsFunction: completeManyNames,
		RunE: func(c *cobra.Command, args []string) error {
			m, err := manager()
			if err != nil {
				return err
			}
			if len(args) == 0 {
				if args, err = m.RunningNames(); err != nil {
					return err
				}
			}
			failed := false
			for _, name := range args {
				switch err := m.RotateLogs(c.Context(), name, os.Stderr); {
				case errors.Is(err, helper.ErrNoLogrotate):
					fmt.Printf("%s: skipped, it has no logrotate configuration\n", name)
				case err != nil:
					failed = true
					fmt.Fprintf(os.Stderr, "virt-sandbox-service: %v\n", err)
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
