// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/virt-sandbox/virt-sandbox/cmd/internal/flagname"
	"github.com/virt-sandbox/virt-sandbox/helper"
	"github.com/virt-sandbox/virt-sandbox/internal/foreach"
)

func logsCommand(manager newManagerFunc) *cobra.Command {
	var options helper.LogOptions
	lines := "all"
	command := &cobra.Command{
		Use:   "logs [-f] [-n LINES] [-u UNIT] [--since TIME] NAME…",
		Short: "Show the journals of sandboxes",
		Long: `Show the journal of a sandbox, running or not, with the options of
journalctl(1); control characters are shown as question marks. The journal of a
running sandbox is read inside it, that of a stopped one by a process without
privileges. Who is not root reads what was passed on to the host's journal
(WITHOUT ROOT of virt-sandbox-service(1)). The exit status is that of
journalctl. Of several sandboxes one follows the other, or with -f all at once,
and each line begins with its sandbox, but for those of JSON.

Of a sandbox that runs a command the console is shown: from the host's journal,
or where systemd does not run from a file, which knows -f and -n only.`,
		Example: `  virt-sandbox-service logs -f -u httpd web1
  virt-sandbox-service logs --since today -p err web1
  virt-sandbox-service logs -b -g 'denied|refused' web1 web2`,
		Args: func(c *cobra.Command, args []string) error {
			if options.Follow && options.Reverse {
				return errors.New("--follow waits for what comes last, and --reverse shows that first; give one of them")
			}
			return someNames(c, args)
		},
		ValidArgsFunction: completeManyNames,
		RunE: func(c *cobra.Command, args []string) error {
			m, err := manager()
			if err != nil {
				return err
			}
			if options.Lines, err = lineCount(lines, options.Follow && !c.Flags().Changed("lines")); err != nil {
				return usageError{err}
			}
			if names := unique(args); len(names) > 1 {
				return manyLogs(c.Context(), m, names, options)
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
	flags.StringVarP(&options.Boot, "boot", "b", "", "only since the host's last boot, or with = of `BOOT`, such as -1 "+
		"for the one before (journalctl(1))")
	flags.Lookup("boot").NoOptDefVal = "0"
	flags.StringVarP(&options.Grep, "grep", "g", "", "only messages that match `REGEXP` (PCRE2)")
	flags.StringVarP(&options.Identifier, "identifier", "t", "", "only what `PROGRAM` says, by its syslog identifier")
	flags.BoolVarP(&options.Reverse, "reverse", "r", false, "the newest line first")
	flags.StringVarP(&options.Priority, "priority", "p", "", "`PRIORITY` and what is more urgent, such as warning")
	flags.StringVarP(&options.Output, "output", "o", "", "`FORM` of the lines: short, the default, short-iso, cat, json "+
		"and others of journalctl(1)")
	return command
}

// manyLogs shows the journals of several sandboxes; it fails with the first exit status that is not 0.
func manyLogs(ctx context.Context, m *helper.Manager, names []string, o helper.LogOptions) error {
	jobs := 1
	if o.Follow {
		jobs = len(names)
	}
	var lines sync.Mutex
	failed, status := error(nil), make(map[string]int)
	foreach.Do(ctx, names, jobs, func(ctx context.Context, name string) (err error) {
		var out io.Writer = &named{name: name, mu: &lines, out: os.Stdout}
		if strings.HasPrefix(o.Output, "json") {
			out = os.Stdout
		}
		ended, err := m.Logs(ctx, name, o, out, &named{name: name, mu: &lines, out: os.Stderr})
		lines.Lock()
		defer lines.Unlock()
		status[name] = ended
		return err
	}, func(name string, err error) {
		if err != nil {
			failed = errReported
			fmt.Fprintf(os.Stderr, "virt-sandbox-service: %s\n", about(name, flagname.Text(err)))
		}
	})
	for _, name := range names {
		if failed == nil && status[name] != 0 {
			return exitError(status[name])
		}
	}
	return failed
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
