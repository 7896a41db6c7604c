// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/spf13/cobra"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/helper"
	"github.com/virt-sandbox/virt-sandbox/internal/launch"
)

func startCommand(manager newManagerFunc) *cobra.Command {
	var several many
	command := &cobra.Command{
		Use:   "start NAME… | --all",
		Short: "Start sandboxes and wait until their units are up",
		Example: `  virt-sandbox-service start web1
  virt-sandbox-service start --all -j 4`,
		Long: `Start a sandbox and wait until its systemd has booted and each of its units is
active. If one fails, its reason and its last journal lines are shown and the
sandbox is stopped again. Where the host's systemd runs, its unit is started.

Of several see SEVERAL SANDBOXES of virt-sandbox-service(1).`,
		Args: several.check, ValidArgsFunction: completeManyNames,
		RunE: func(c *cobra.Command, args []string) error {
			m, err := manager()
			if err != nil {
				return err
			}
			return several.each(c.Context(), m, args, "Started", func(ctx context.Context, d *done, stderr io.Writer) error {
				return start(ctx, m, d.Name, stderr)
			})
		},
	}
	several.addFlags(command, true)
	return command
}

func start(ctx context.Context, m *helper.Manager, name string, stderr io.Writer) error {
	s, err := m.Store.Load(name)
	if err != nil {
		return err
	}
	if stderr == os.Stderr {
		defer showWaiting(ctx, s)()
	}
	if helper.SystemdRuns() {
		return m.StartUnit(ctx, name)
	}
	err = launch.Run(ctx, m.URI, name, stderr)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return errReported
	}
	return err
}

func stopCommand(manager newManagerFunc) *cobra.Command {
	var several many
	command := &cobra.Command{
		Use:   "stop NAME… | --all",
		Short: "Shut sandboxes down",
		Example: `  virt-sandbox-service stop web1
  virt-sandbox-service stop --all`,
		Long: `Shut a sandbox down in order; by force after its stop-timeout. One that does not
run is no failure. Where libvirt does not run or does not answer, it is shut
down without libvirt.

Of several see SEVERAL SANDBOXES of virt-sandbox-service(1).`,
		Args: several.check, ValidArgsFunction: completeManyNames,
		RunE: func(c *cobra.Command, args []string) error {
			m, err := manager()
			if err != nil {
				return err
			}
			return several.each(c.Context(), m, args, "Stopped", func(ctx context.Context, d *done, _ io.Writer) error {
				return stop(ctx, m, d.Name)
			})
		},
	}
	several.addFlags(command, true)
	return command
}

func stop(ctx context.Context, m *helper.Manager, name string) error {
	stop := m.Stop
	if helper.SystemdRuns() {
		stop = m.StopUnit
	}
	err := stop(ctx, name)
	if errors.Is(err, helper.ErrNotRunning) {
		// As systemctl stop: what is asked for is already so.
		return nil
	}
	return err
}

func restartCommand(manager newManagerFunc) *cobra.Command {
	var several many
	command := &cobra.Command{
		Use:   "restart NAME… | --all",
		Short: "Stop sandboxes and start them again",
		Example: `  virt-sandbox-service restart web1
  virt-sandbox-service restart --all -j 4`,
		Long: `Stop a sandbox in order, and start it again as start does; one that does not
run is started. A changed config counts from then on.

Of several see SEVERAL SANDBOXES of virt-sandbox-service(1).`,
		Args: several.check, ValidArgsFunction: completeManyNames,
		RunE: func(c *cobra.Command, args []string) error {
			m, err := manager()
			if err != nil {
				return err
			}
			return several.each(c.Context(), m, args, "Restarted",
				func(ctx context.Context, d *done, stderr io.Writer) error {
					return restart(ctx, m, d.Name, stderr)
				})
		},
	}
	several.addFlags(command, true)
	return command
}

// restart stops a sandbox and starts it again. What cannot be started again is not stopped.
func restart(ctx context.Context, m *helper.Manager, name string, stderr io.Writer) error {
	s, err := m.Store.Load(name)
	if err != nil {
		return err
	}
	if err := helper.Reach(m); err != nil {
		return err
	}
	if helper.SystemdRuns() {
		if stderr == os.Stderr {
			defer showWaiting(ctx, s)()
		}
		if asked, err := helper.RestartUnit(ctx, m, name); asked || err != nil {
			return err
		}
	}
	if err := stop(ctx, m, name); err != nil {
		return err
	}
	return start(ctx, m, name, stderr)
}

func reloadCommand(manager newManagerFunc) *cobra.Command {
	var units []string
	var several many
	command := &cobra.Command{
		Use:   "reload [-u UNIT]… NAME… | --all",
		Short: "Make units of a running sandbox read their configuration anew",
		Example: `  virt-sandbox-service reload web1
  virt-sandbox-service reload -u httpd --all`,
		Long: `Make units of a running sandbox read their configuration anew: those of -u,
whatever units inside they are, or else all of its own that can. One of -u that
cannot is refused, and so is a sandbox that runs a command.`,
		Args: several.check, ValidArgsFunction: completeManyNames,
		RunE: func(c *cobra.Command, args []string) error {
			m, err := manager()
			if err != nil {
				return err
			}
			return several.each(c.Context(), m, args, "Reloaded", func(ctx context.Context, d *done, _ io.Writer) error {
				err := m.Reload(ctx, d.Name, units...)
				var failure *helper.UnitError
				if errors.As(err, &failure) && failure.Journal != "" {
					return fmt.Errorf("%w; its journal says:\n%s", err, failure.Journal)
				}
				return err
			})
		},
	}
	several.addFlags(command, true)
	command.Flags().StringArrayVarP(&units, "unitfile", "u", nil, "`UNIT` inside to reload; may be repeated; .service "+
		"may be left out; --unit is the same")
	return command
}

func enableCommand(manager newManagerFunc) *cobra.Command {
	return bootCommand(manager, &cobra.Command{
		Use:   "enable [--now] NAME… | --all",
		Short: "Let sandboxes start with the host",
		Example: `  virt-sandbox-service enable web1
  virt-sandbox-service enable --now web1 web2`,
		Long: `Let a sandbox start with the host, as systemctl enable of its unit does. A
config that was put in place by hand has no unit file that systemctl could
enable; it gets one.`,
	}, "Enabled", "start them too", start)
}

func disableCommand(manager newManagerFunc) *cobra.Command {
	return bootCommand(manager, &cobra.Command{
		Use:   "disable [--now] NAME… | --all",
		Short: "Stop starting sandboxes at boot",
		Example: `  virt-sandbox-service disable web1
  virt-sandbox-service disable --now --all`,
		Long: `Stop starting a sandbox at boot. This writes the unit file that systemctl can
enable; from then on autostart= in the config is ignored.`,
	}, "Disabled", "stop them too", func(ctx context.Context, m *helper.Manager, name string, _ io.Writer) error {
		return stop(ctx, m, name)
	})
}

// bootCommand completes the command enable or disable; now is what --now does besides.
func bootCommand(manager newManagerFunc, command *cobra.Command, past, nowText string,
	now func(context.Context, *helper.Manager, string, io.Writer) error) *cobra.Command {
	var several many
	var alsoNow bool
	command.Args, command.ValidArgsFunction = several.check, completeManyNames
	command.RunE = func(c *cobra.Command, args []string) error {
		m, err := manager()
		if err != nil {
			return err
		}
		return several.each(c.Context(), m, args, past, func(ctx context.Context, d *done, stderr io.Writer) error {
			if err := systemctl(ctx, m, c.Name(), d.Name, stderr); err != nil || !alsoNow {
				return err
			}
			return now(ctx, m, d.Name, stderr)
		})
	}
	several.addFlags(command, true)
	command.Flags().BoolVar(&alsoNow, "now", false, nowText)
	return command
}

// systemctl runs the command of that name, which also works on the files where systemd does not run, on the unit of a
// sandbox. It gives the unit its file first: with that it is systemctl that decides, and autostart= does not count.
func systemctl(ctx context.Context, m *helper.Manager, verb, name string, stderr io.Writer) error {
	unit, err := m.WriteUnitFile(ctx, name)
	if err != nil {
		return err
	}
	command := exec.CommandContext(ctx, "systemctl", verb, unit)
	command.Stdout, command.Stderr = stderr, stderr
	if stderr == os.Stderr {
		command.Stdout = os.Stdout
	}
	err = command.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return errReported
	}
	return err
}

func deleteCommand(manager newManagerFunc) *cobra.Command {
	var base string
	var keepJournal, ignore bool
	var several many
	command := &cobra.Command{
		Use: "delete [--keep-journal] NAME…", Aliases: []string{"rm"},
		Short: "Remove sandboxes that are stopped, with their content",
		Example: `  virt-sandbox-service delete web1
  virt-sandbox-service delete --keep-journal web1 web2`,
		Long: `Remove a stopped sandbox (one with an unusable config: after the config was
corrected or removed by hand) with its content, its unit file and what was added
to that. It also removes what an interrupted create left.

An image is looked into first, so that only content of a sandbox is removed; one
that is damaged is to be removed by hand.

Of several see SEVERAL SANDBOXES of virt-sandbox-service(1).`,
		Args: several.check, ValidArgsFunction: completeManyNames,
		RunE: func(c *cobra.Command, args []string) error {
			m, err := manager()
			if err != nil {
				return err
			}
			measure := several.asJSON || !several.quiet && isTerminal(os.Stdout)
			return several.each(c.Context(), m, args, "Deleted", func(ctx context.Context, d *done, _ io.Writer) (err error) {
				if measure {
					d.Bytes = sizeOf(ctx, m, d.Name)
				}
				d.Journal, err = m.Delete(ctx, d.Name, base, keepJournal)
				if ignore && errors.Is(err, config.ErrNotFound) {
					d.isNot()
					return nil
				}
				if err != nil {
					d.Bytes = nil
					return err
				}
				if d.Journal != "" && !several.asJSON && !several.quiet {
					fmt.Printf("Kept journal %s\n", d.Journal)
				}
				if isTerminal(os.Stdout) {
					d.text = "Deleted " + d.Name + freedText(d.Bytes) + "\n"
				}
				return nil
			})
		},
	}
	several.addFlags(command, false)
	command.Flags().BoolVar(&ignore, "ignore", false, "succeed where there is no sandbox of the name")
	command.Flags().BoolVar(&keepJournal, "keep-journal", false, "leave the container's own journal in the host's "+
		"/var/log/journal")
	command.Flags().
		StringVarP(&base, "path", "p", "", "`DIR` to look in for content whose config is gone; "+config.DefaultContentBase+
			" by default")
	return command
}
