// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/virt-sandbox/virt-sandbox/cmd/internal/flagname"
	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/helper"
	"github.com/virt-sandbox/virt-sandbox/internal/overview"
)

// Exit statuses of status, as those of systemctl status.
const (
	statusNotRunning = 3
	statusUnknown    = 4
)

const statusText = `Show the state of sandboxes and since when, their unit on the host, the label
and addresses of their processes, the memory, CPU time and processes that they
use, the states of their units inside and which others failed there, and why
their unit failed. Without a NAME, count the sandboxes by state, and list them.

Who is not root sees what files tell; what is inside is left out (WITHOUT ROOT
of virt-sandbox-service(1)).

The exit status is 0 when all named are running, 3 when one is not, and 4 when
there is no such sandbox.`

func statusCommand(manager newManagerFunc) *cobra.Command {
	var asJSON, every bool
	command := &cobra.Command{
		Use:   "status [--json] [NAME… | --all]",
		Short: "Show state, label, addresses, usage and units of sandboxes",
		Example: `  virt-sandbox-service status
  virt-sandbox-service status web1
  virt-sandbox-service status --json --all`,
		Long: statusText,
		Args: func(_ *cobra.Command, args []string) error {
			if every && len(args) > 0 {
				return errors.New("name sandboxes or use --all, not both")
			}
			return checkNames(args)
		},
		ValidArgsFunction: completeManyNames,
		RunE: func(c *cobra.Command, args []string) error {
			m, err := manager()
			if err != nil {
				return err
			}
			if len(args) == 0 && !every && !asJSON {
				return printOverview(c.Context(), m)
			}
			names := unique(args)
			if len(names) == 0 {
				if names, err = (&many{all: true}).chosen(m.Store, nil); err != nil {
					return err
				}
			}
			return showStatus(c.Context(), m, names, asJSON, len(args) != 1)
		},
	}
	command.Flags().BoolVar(&every, "all", false, "all sandboxes, in place of NAMEs")
	command.Flags().BoolVar(&asJSON, "json", false, "print a JSON object, or of several an array; all keys are always "+
		"present, unknown values are null")
	return command
}

// showStatus shows one sandbox after the other; with asList, JSON is an array. It fails with the worst exit status.
func showStatus(ctx context.Context, m *helper.Manager, names []string, asJSON, asList bool) error {
	var list []*helper.Details
	worst := 0
	for _, name := range names {
		details, err := m.Details(ctx, name)
		if errors.Is(err, config.ErrNotFound) {
			fmt.Fprintf(os.Stderr, "virt-sandbox-service: %s\n", flagname.Text(err))
			worst = max(worst, statusUnknown)
			continue
		}
		if err != nil {
			return err
		}
		if details.State == overview.Unknown {
			fmt.Fprintf(os.Stderr, "virt-sandbox-service: %s: %v\n", name, helper.ErrNotShown)
		}
		if !details.IsRunning() {
			worst = max(worst, statusNotRunning)
		}
		if list = append(list, details); asJSON {
			continue
		}
		if len(list) > 1 {
			fmt.Println()
		}
		if err := printDetails(os.Stdout, details, time.Now()); err != nil {
			return err
		}
	}
	if err := printStatusJSON(list, asJSON, asList); err != nil {
		return err
	}
	if worst != 0 {
		return exitError(worst)
	}
	return nil
}

func printStatusJSON(list []*helper.Details, asJSON, asList bool) error {
	switch {
	case !asJSON:
		return nil
	case asList:
		return printJSON(list)
	case len(list) == 0:
		return nil
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(list[0])
}

// printOverview counts the sandboxes by state, and lists them.
func printOverview(ctx context.Context, m *helper.Manager) error {
	if err := checkConfigDir(m.Store); err != nil {
		return err
	}
	rows, err := m.List(ctx)
	if err != nil {
		return err
	}
	fmt.Println(summary(rows))
	if len(rows) == 0 {
		return nil
	}
	fmt.Println()
	return printTable(os.Stdout, rows, time.Now())
}

// summary counts sandboxes by state: 3 sandboxes: 2 running, 1 stopped.
func summary(rows []helper.Row) string {
	counts := make(map[string]int)
	var states []string
	for _, row := range rows {
		if counts[row.State]++; counts[row.State] == 1 {
			states = append(states, row.State)
		}
	}
	slices.SortFunc(states, func(a, b string) int { return cmp.Or(counts[b]-counts[a], strings.Compare(a, b)) })
	for i, state := range states {
		states[i] = fmt.Sprintf("%d %s", counts[state], state)
	}
	switch len(rows) {
	case 0:
		return "No sandboxes"
	case 1:
		return "1 sandbox: " + states[0]
	}
	return fmt.Sprintf("%d sandboxes: %s", len(rows), strings.Join(states, ", "))
}

// printDetails writes details for a person, a line for each that is known.
func printDetails(out io.Writer, d *helper.Details, now time.Time) error {
	w := tabwriter.NewWriter(out, 0, 8, 1, ' ', tabwriter.AlignRight)
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(w, "%s:\t %s\n", name, text)
		}
	}
	state := d.Summary()
	if d.Halted {
		state += " (halted)"
	}
	if d.Since != nil {
		state += " since " + d.Since.Local().
			Format("Mon 2006-01-02 15:04:05 MST") +
			"; " + now.Sub(*d.Since).
			Round(time.Second).
			String() +
			" ago"
	}
	var addresses []string
	for _, a := range d.Addresses {
		addresses = append(addresses, a.String())
	}
	line("Name", d.Name)
	line("State", state)
	line("Unit", d.Unit)
	line("Machine", d.Machine)
	line("Command", strings.Join(d.Command, " "))
	line("Label", cmp.Or(d.Label, d.Level))
	line("Content", d.Content)
	line("Addresses", strings.Join(addresses, " "))
	line("Memory", size(d.Usage.Memory)+limit(size(d.Usage.MemoryLimit)))
	if d.Usage.CPU != nil {
		line("CPU", time.Duration(*d.Usage.CPU*float64(time.Second)).Round(time.Millisecond).String())
	}
	line("Tasks", count(d.Usage.PIDs)+limit(count(d.Usage.PIDsLimit)))
	for _, unit := range d.InnerUnits {
		text := unit.Unit + " " + unit.Active + " (" + unit.Sub + ")"
		if unit.Result != "" && unit.Result != "success" {
			text += ", " + unit.Result
		}
		line("Inside", text)
	}
	if d.EtcIsOld {
		line("/etc", "the host's has changed since the start; restart to follow it")
	}
	line("Failed inside", strings.Join(d.Failed, " "))
	line("Error", cmp.Or(d.Error, d.LastError))
	return w.Flush()
}

func size(bytes *uint64) string {
	switch {
	case bytes == nil:
		return ""
	case *bytes < 1<<20:
		return fmt.Sprintf("%.1fK", float64(*bytes)/(1<<10))
	case *bytes < 1<<30:
		return fmt.Sprintf("%.1fM", float64(*bytes)/(1<<20))
	}
	return fmt.Sprintf("%.1fG", float64(*bytes)/(1<<30))
}

func count(number *uint64) string {
	if number == nil {
		return ""
	}
	return fmt.Sprint(*number)
}

func limit(text string) string {
	if text == "" {
		return ""
	}
	return " (limit " + text + ")"
}
