package helper

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	"github.com/coreos/go-systemd/v22/util"
	godbus "github.com/godbus/dbus/v5"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/helper/programs"
)

// transientUnit names the unit that is made for a start when the host has none for the container.
func transientUnit(s *config.Sandbox) string { return "virt-sandbox@" + s.Name + ".service" }

// findUnit gives the unit of a container that is made from its config; made is false where the host has none. A unit that
// only has the name is not ours: distributions ship templates such as apache2@.service, which run on the host itself.
func (m *Manager) findUnit(ctx context.Context, systemd *dbus.Conn, s *config.Sandbox) (unit string, made bool) {
	properties, err := systemd.GetUnitPropertiesContext(ctx, s.HostUnit())
	if err == nil && properties["SourcePath"] == m.Store.Path(s.Name) {
		return s.HostUnit(), true
	}
	return transientUnit(s), false
}

// SystemdRuns tells whether this host was booted with systemd (sd_booted(3)).
func SystemdRuns() bool { return util.IsRunningSystemd() }

// StartUnit starts a container through the host's systemd: its unit, or where the host has none a transient one.
func (m *Manager) StartUnit(ctx context.Context, name string) error {
	return m.withUnit(ctx, name, func(systemd *dbus.Conn, s *config.Sandbox, unit string, made bool, done chan string) error {
		if made {
			_, err := systemd.StartUnitContext(ctx, unit, "replace", done)
			return err
		}
		if properties, err := systemd.GetUnitPropertiesContext(ctx, unit); err == nil && properties["ActiveState"] == "active" {
			m.Warn("%s %v", name, ErrAlreadyRunning)
			done <- "done"
			return nil
		}
		helperProgram, err := programs.Find("virt-sandbox-service-helper")
		if err != nil {
			return err
		}
		_, err = systemd.StartTransientUnitContext(ctx, unit, "replace", m.transient(s, helperProgram), done)
		return err
	})
}

// StopUnit stops the unit of a container, and the container itself where no unit runs it.
func (m *Manager) StopUnit(ctx context.Context, name string) error {
	err := m.withUnit(ctx, name, func(systemd *dbus.Conn, _ *config.Sandbox, unit string, _ bool, done chan string) error {
		_, err := systemd.StopUnitContext(ctx, unit, "replace", done)
		var failure godbus.Error
		if errors.As(err, &failure) && failure.Name == "org.freedesktop.systemd1.NoSuchUnit" {
			done <- "done"
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	return m.Stop(ctx, name)
}

func (m *Manager) withUnit(ctx context.Context, name string, act func(*dbus.Conn, *config.Sandbox, string, bool, chan string) error) error {
	s, err := m.Store.Load(name)
	if err != nil {
		return err
	}
	systemd, err := dbus.NewSystemConnectionContext(ctx)
	if err != nil {
		return fmt.Errorf("connect to systemd: %w", err)
	}
	defer systemd.Close()
	unit, made := m.findUnit(ctx, systemd, s)
	done := make(chan string, 1)
	if err := act(systemd, s, unit, made, done); err != nil {
		return fmt.Errorf("%s: %w", unit, err)
	}
	select {
	case result := <-done:
		if result != "done" {
			return fmt.Errorf("%s: the job ended with %q; the unit's journal says:\n%s", unit, result, hostJournal(ctx, unit))
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// hostJournal reads the last lines that a unit of the host logged.
func hostJournal(ctx context.Context, unit string) string {
	out, err := exec.CommandContext(ctx, "journalctl", "--quiet", "--no-pager", "--output=cat", "--lines=20", "--unit="+unit).CombinedOutput()
	if err != nil {
		return err.Error()
	}
	return clean(strings.TrimSpace(string(out)))
}

// transient describes the unit of a container to systemd (org.freedesktop.systemd1(5), systemd.service(5)).
func (m *Manager) transient(s *config.Sandbox, program string) []dbus.Property {
	property := func(name string, value any) dbus.Property {
		return dbus.Property{Name: name, Value: godbus.MakeVariant(value)}
	}
	exec := func(name, verb string) dbus.Property {
		type command struct {
			Path         string
			Args         []string
			UncleanIsBad bool
		}
		return property(name, []command{{program, []string{program, "-c", m.URI, verb, s.Name}, false}})
	}
	list := []dbus.Property{
		dbus.PropDescription("virt-sandbox container " + s.Name),
		dbus.PropType("notify"),
		property("CollectMode", "inactive-or-failed"),
		property("KillMode", "mixed"),
		property("Delegate", false),
		property("TimeoutStartUSec", uint64((s.Limits.StartTimeout + 30*time.Second).Microseconds())),
		property("TimeoutStopUSec", uint64((s.Limits.StopTimeout + 30*time.Second).Microseconds())),
		exec("ExecStart", "run"), exec("ExecStop", "stop"), exec("ExecStopPost", "stop"),
	}
	if dir := os.Getenv(config.DirVariable); dir != "" {
		list = append(list, property("Environment", []string{config.DirVariable + "=" + dir}))
	}
	return list
}
