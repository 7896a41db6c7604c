// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/helper"
	"github.com/virt-sandbox/virt-sandbox/internal/consoletext"
	"github.com/virt-sandbox/virt-sandbox/internal/enter"
	"github.com/virt-sandbox/virt-sandbox/internal/printable"
	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
)

func killCommand(manager newManagerFunc) *cobra.Command {
	var signal string
	var units []string
	var several many
	command := &cobra.Command{
		Use:   "kill [-s SIGNAL] [-u UNIT]… NAME… | --all",
		Short: "Send a signal to the processes of units of a running sandbox",
		Example: `  virt-sandbox-service kill -s HUP web1
  virt-sandbox-service kill -u php-fpm web1`,
		Long: `Send a signal to all processes of units of a running sandbox, as systemctl(1)
kill does inside: to those of -u, whatever units inside they are, or else of all
of its own. A unit that fails by it ends the sandbox where on-failure= says so.
One that runs a command has no units: stop ends it.`,
		Args: func(c *cobra.Command, args []string) error {
			if err := checkSignal(signal); err != nil {
				return err
			}
			return several.check(c, args)
		},
		ValidArgsFunction: completeManyNames,
		RunE: func(c *cobra.Command, args []string) error {
			m, err := manager()
			if err != nil {
				return err
			}
			return several.each(c.Context(), m, args, "Signalled", func(ctx context.Context, d *done, _ io.Writer) error {
				return kill(ctx, m, d.Name, signal, units)
			})
		},
	}
	several.addFlags(command, true)
	command.Flags().StringVarP(&signal, "signal", "s", "TERM", "`SIGNAL` to send, by its name or number")
	command.Flags().StringArrayVarP(&units, "unit", "u", nil, "`UNIT` inside to signal; may be repeated; .service may be "+
		"left out; --unitfile is the same")
	return command
}

// checkSignal reports whether a text is the name or the number of a signal.
func checkSignal(text string) error {
	n, err := strconv.ParseUint(text, 10, 8)
	if err == nil && n >= 1 && n <= 64 || unix.SignalNum("SIG"+strings.TrimPrefix(strings.ToUpper(text), "SIG")) != 0 {
		return nil
	}
	return fmt.Errorf("%q is not a signal such as TERM or 15", text)
}

// maxSaid bounds what is told of what a program inside says, in bytes.
const maxSaid = 1024

func kill(ctx context.Context, m *helper.Manager, name, signal string, units []string) error {
	s, err := m.Store.Load(name)
	if err != nil {
		return err
	}
	if s.Generic() {
		return fmt.Errorf("%s runs a command and has no units; run stop to end it", name)
	}
	if len(units) == 0 {
		units = s.Units
	}
	args := []string{"kill", "--signal=" + strings.ToUpper(signal), "--"}
	for _, unit := range units {
		args = append(args, unitname.Complete(unit))
	}
	_, err = systemctlInside(ctx, m, name, args...)
	return err
}

// systemctlInside runs systemctl in a container and returns the beginning of what it says.
func systemctlInside(ctx context.Context, m *helper.Manager, name string, args ...string) (string, error) {
	said := consoletext.Head{Left: maxSaid}
	command := enter.Command{Args: append([]string{"systemctl"}, args...), Stdout: &said, Stderr: &said}
	status, err := m.Execute(ctx, name, command, false)
	text := printable.Short(strings.TrimSpace(said.String()), maxSaid)
	if err == nil && status != 0 {
		err = fmt.Errorf("systemctl in %s: %s", name, text)
	}
	return text, err
}
