// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/virt-sandbox/virt-sandbox/cmd/internal/flagname"
	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/helper"
)

// Exit statuses of status, as those of systemctl status.
const (
	statusNotRunning = 3
	statusUnknown    = 4
)

func statusCommand(manager newManagerFunc) *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:   "status [--json] NAME",
		Short: "Show the state, label, addresses, usage and units of a sandbox",
		Long: `Show the state of a sandbox and since when, its unit on the host, the label and
addresses of its processes, the memory, CPU time and processes that it uses, the
states of its units inside and which others failed there, and why its unit
failed.

The exit status is 0 when it is running, 3 when it is not, and 4 when there is
no such sandbox.`,
		Args: oneName, ValidArgsFunction: completeNames,
		RunE: func(c *cobra.Command, args []string) error {
			m, err := manager()
			if err != nil {
				return err
			}
			details, err := m.Details(c.Context(), args[0])
			if errors.Is(err, config.ErrNotFound) {
				fmt.Fprintf(os.Stderr, "virt-sandbox-service: %s\n", flagname.Text(err))
				return exitError(statusUnknown)
			}
			if err != nil {
				return err
			}
			if asJSON {
				encoder := json.NewEncoder(os.Stdout)
				encoder.SetIndent("", "  ")
				err = encoder.Encode(details)
			} else {
				err = printDetails(os.Stdout, details, time.Now())
			}
			if err == nil && !details.IsRunning() {
				return exitError(statusNotRunning)
			}
			return err
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print a JSON object; all keys are always present, unknown "+
		"values are null")
	return command
}

// printDetails writes details for a person, a line for each that is known.
func printDetails(out io.Writer, d *helper.Details, now time.Time) error {
	w := tabwriter.NewWriter(out, 0, 8, 1, ' ', tabwriter.AlignRight)
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(w, "%s:\t %s\n", name, text)
		}
	}
	state := d.State
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
