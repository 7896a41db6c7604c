// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/virt-sandbox/virt-sandbox/helper"
)

func logsCommand(manager newManagerFunc) *cobra.Command {
	var options helper.LogOptions
	lines := "all"
	command := &cobra.Command{
		Use:   "logs [-f] [-n LINES] [-u UNIT] [--since TIME] NAME",
		Short: "Show the journal of a sandbox",
		Long: `Show the journal of a sandbox, running or not, with the options of
journalctl(1); control characters are shown as question marks. The
journal of a running sandbox is read inside it, that of a stopped one by a
process without privileges. The exit status is that of journalctl.

Of a sandbox that runs a command the console is shown: from the host's journal,
or where systemd does not run from a file, which knows -f and -n only.`,
		Example: `  virt-sandbox-service logs -f -u httpd web1
  virt-sandbox-service logs --since today -p err web1`,
		Args: oneName, ValidArgsFunction: completeNames,
		RunE: func(c *cobra.Command, args []string) error {
			m, err := manager()
			if err != nil {
				return err
			}
			if options.Lines, err = lineCount(lines, options.Follow && !c.Flags().Changed("lines")); err != nil {
				return usageError{err}
			}
			status, err := m.Logs(c.Context(), args[0], options, os.Stdout, os.Stderr)
			if err == nil && status != 0 {
				return exitError(status)
			}
			return err
		},
	}
	flags := command.Flags()
	flags.BoolVarP(&options.Follow, "follow", "f", false, "go on with what comes, after the last ten lines unless -n "+
		"says otherwise")
	flags.StringVarP(&lines, "lines", "n", lines, "only the last `LINES`, a number; all by default")
	flags.StringVarP(&options.Unit, "unit", "u", "", "only what `UNIT` inside says")
	flags.StringVar(&options.Since, "since", "", "from `TIME` on (systemd.time(7))")
	flags.StringVar(&options.Until, "until", "", "up to `TIME`")
	flags.StringVarP(&options.Priority, "priority", "p", "", "`PRIORITY` and what is more urgent, such as warning")
	flags.StringVarP(&options.Output, "output", "o", "", "`FORM` of the lines: short, the default, short-iso, cat, json "+
		"and others of journalctl(1)")
	return command
}

// lineCount reads -n; -1 is all.
func lineCount(text string, isFollowing bool) (int, error) {
	if isFollowing {
		return 10, nil
	}
	if text == "all" {
		return -1, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, errors.New("-n takes a number of lines, or all")
	}
	return n, nil
}
