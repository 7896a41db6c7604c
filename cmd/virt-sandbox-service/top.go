// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/virt-sandbox/virt-sandbox/helper"
)

// topInterval is how long the use of processors is looked at, and how often a terminal shows it anew.
const topInterval = 2 * time.Second

func topCommand(manager newManagerFunc) *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:   "top",
		Short: "Tell what running sandboxes use",
		Example: `  virt-sandbox-service top
  virt-sandbox-service top --json`,
		Long: `Tell what each running sandbox uses: part of one processor, memory with the
cache of its files, processes and threads, and bytes read from and written to
block devices since its start. A terminal shows it anew every two seconds, until
an interrupt; elsewhere it is told once, after a second.`,
		Args: noNames, ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			m, err := manager()
			if err != nil {
				return err
			}
			if asJSON {
				_, used, err := sample(c.Context(), m)
				if err != nil {
					return err
				}
				return printJSON(used)
			}
			return showTop(c.Context(), m, isTerminal(os.Stdout))
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print a JSON array, with seconds of processors since the start")
	return command
}

// used is what a sandbox uses.
type used struct {
	Name string `json:"name"`
	helper.Consumption
}

// sample looks at all sandboxes that are up.
func sample(ctx context.Context, m *helper.Manager) (time.Time, []used, error) {
	rows, err := m.List(ctx)
	var list []used
	for _, row := range rows {
		if row.IsRunning() {
			list = append(list, used{row.Name, row.Consumption})
		}
	}
	return time.Now(), list, err
}

func showTop(ctx context.Context, m *helper.Manager, refresh bool) error {
	at, before, err := sample(ctx, m)
	wait := time.Second
	for err == nil {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil
		}
		var now time.Time
		var list []used
		if now, list, err = sample(ctx, m); err != nil {
			break
		}
		if refresh {
			fmt.Print("\x1b[H\x1b[2J") // From the first place of an empty screen.
		}
		if err := printTop(os.Stdout, before, list, now.Sub(at)); err != nil || !refresh {
			return err
		}
		at, before, wait = now, list, topInterval
	}
	return err
}

// printTop writes a table of what sandboxes use, with the use of processors between two looks, the most first.
func printTop(out io.Writer, before, list []used, between time.Duration) error {
	share := make(map[string]float64)
	for _, now := range list {
		i := slices.IndexFunc(before, func(u used) bool { return u.Name == now.Name })
		if i >= 0 && now.CPU != nil && before[i].CPU != nil {
			share[now.Name] = max(0, *now.CPU-*before[i].CPU) / between.Seconds() * 100
		}
	}
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b used) int {
		switch x, y := share[a.Name], share[b.Name]; {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tCPU\tMEMORY\tTASKS\tREAD\tWRITTEN")
	for _, u := range list {
		cells := []string{u.Name, fmt.Sprintf("%.1f%%", share[u.Name]), size(u.Memory), count(u.PIDs), size(u.Read),
			size(u.Written)}
		if _, known := share[u.Name]; !known {
			cells[1] = ""
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
