// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/helper"
	"github.com/virt-sandbox/virt-sandbox/internal/printable"
)

// filter chooses rows of a list.
type filter struct {
	running bool
	states  []string
	names   []string // patterns (path.Match)
}

const listText = `List sandboxes: state and level, whether they start with the host, for how long
they have been up, the memory that they use, their address, the unit that runs
them on the host, and the units or command that they run; of one whose config
cannot be used the reason. NAME may be a pattern, such as 'web*'.

One that runs is "degraded" where units inside have failed, and "done" where all
its own have ended well. One that is "interrupted" was left by a command that
was killed while it was starting or stopping; stop ends it.

Where libvirt cannot be asked, the states are "unknown", and the exit status
is 1. So they are for who is neither root nor a member of the group
virt-sandbox (WITHOUT ROOT of virt-sandbox-service(1)).`

func listCommand(manager newManagerFunc) *cobra.Command {
	var asJSON, quiet bool
	var filter filter
	command := &cobra.Command{
		Use: "list [-r] [-q] [NAME]…", Aliases: []string{"ls"},
		Short: "List sandboxes and their states",
		Long:  listText,
		Example: `  virt-sandbox-service list --running
  virt-sandbox-service list --state stopped 'web*'
  virt-sandbox-service stop $(virt-sandbox-service list -qr)`,
		Args: func(_ *cobra.Command, args []string) error {
			for _, name := range args {
				if _, err := path.Match(name, ""); err != nil {
					return fmt.Errorf("%q is no pattern", name)
				}
			}
			return nil
		},
		ValidArgsFunction: completeManyNames,
		RunE: func(c *cobra.Command, args []string) error {
			m, err := manager()
			if err != nil {
				return err
			}
			if err := checkConfigDir(m.Store); err != nil {
				return err
			}
			filter.names = args
			all, unknown := m.List(c.Context())
			list := filter.of(all)
			switch {
			case quiet:
				for _, row := range list {
					fmt.Println(row.Name)
				}
			case asJSON:
				err = printJSON(list)
			case len(all) > 0 || unknown == nil:
				err = printTable(os.Stdout, list, time.Now())
			}
			return cmp.Or(err, unknown, filter.unmatched(all))
		},
	}
	flags := command.Flags()
	flags.BoolVarP(&filter.running, "running", "r", false, "only those that run")
	flags.StringSliceVar(&filter.states, "state", nil, "only those of `STATE`, or of several with commas: running, "+
		"degraded, done, starting, stopping, stopped, deleting, unusable, masked or "+
		"unknown")
	flags.BoolVarP(&quiet, "quiet", "q", false, "names only, one on each line")
	flags.BoolVar(&asJSON, "json", false, "print a JSON array")
	return command
}

// of returns the rows that are asked for.
func (f filter) of(rows []helper.Row) (list []helper.Row) {
	for _, row := range rows {
		named := len(f.names) == 0 || slices.ContainsFunc(f.names, func(name string) bool { return matches(name, row) })
		if named && (!f.running || row.IsRunning()) && (len(f.states) == 0 || slices.Contains(f.states, row.State)) {
			list = append(list, row)
		}
	}
	return list
}

func matches(name string, row helper.Row) bool {
	matched, _ := path.Match(name, row.Name)
	return matched
}

// unmatched complains of a name, as opposed to a pattern, that no sandbox has.
func (f filter) unmatched(rows []helper.Row) error {
	for _, name := range f.names {
		found := slices.ContainsFunc(rows, func(row helper.Row) bool { return matches(name, row) })
		if !found && !strings.ContainsAny(name, `*?[\`) {
			return fmt.Errorf("%s: %w", printable.Line(name), config.ErrNotFound)
		}
	}
	return nil
}

// checkConfigDir refuses a directory of configs that somebody has named and that is not there: it would look as if
// there were no sandboxes.
func checkConfigDir(store config.Store) error {
	if store.Dir == config.DefaultDir {
		return nil
	}
	if info, err := os.Stat(store.Dir); err != nil || !info.IsDir() {
		return fmt.Errorf("%s=%s is not a directory", config.DirVariable, printable.Line(store.Dir))
	}
	return nil
}

func printJSON[T any](list []T) error {
	if list == nil {
		list = []T{}
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(list)
}

func printTable(out io.Writer, list []helper.Row, now time.Time) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tSTATE\tLEVEL\tENABLED\tUP\tMEMORY\tADDRESS\tUNIT\tRUNS")
	for _, row := range list {
		runs := strings.Join(row.Units, " ")
		if len(row.Command) > 0 {
			runs = strings.Join(row.Command, " ")
		}
		if row.Error != "" {
			runs = row.Error
		}
		cells := []string{
			row.Name, row.Summary(), row.Level, yesNo(row.Enabled), age(row.Since, now), size(row.Memory), address(row),
			row.Unit, printable.Line(runs),
		}
		for i, cell := range cells {
			if cell == "" {
				cells[i] = "-"
			}
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	return w.Flush()
}

func yesNo(value *bool) string {
	switch {
	case value == nil:
		return ""
	case *value:
		return "yes"
	}
	return "no"
}

// address is the first one, without its prefix, and how many there are besides.
func address(row helper.Row) string {
	if len(row.Addresses) == 0 {
		return ""
	}
	text := row.Addresses[0].Addr().String()
	if more := len(row.Addresses) - 1; more > 0 {
		text += fmt.Sprintf("+%d", more)
	}
	return text
}

// age is how long ago something was, in its two largest units.
func age(since *time.Time, now time.Time) string {
	if since == nil {
		return ""
	}
	seconds := max(0, int(now.Sub(*since)/time.Second))
	switch days, hours, minutes := seconds/86400, seconds/3600%24, seconds/60%60; {
	case days > 0:
		return fmt.Sprintf("%dd%dh", days, hours)
	case hours > 0:
		return fmt.Sprintf("%dh%dm", hours, minutes)
	case minutes > 0:
		return fmt.Sprintf("%dm%ds", minutes, seconds%60)
	}
	return fmt.Sprintf("%ds", seconds)
}
