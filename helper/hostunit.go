package helper

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/coreos/go-systemd/v22/dbus"
	"github.com/coreos/go-systemd/v22/util"
	godbus "github.com/godbus/dbus/v5"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// SystemdRuns tells whether this host was booted with systemd (sd_booted(3)).
func SystemdRuns() bool { return util.IsRunningSystemd() }

// StartUnit starts a container through its unit of the host's systemd and returns when it is up.
func (m *Manager) StartUnit(ctx context.Context, name string) error {
	s, err := m.Store.Load(name)
	if err != nil {
		return err
	}
	return m.withUnit(ctx, s, func(systemd *dbus.Conn, done chan string) error {
		loaded, active := m.unitState(ctx, systemd, s)
		if !loaded {
			// It came, or its generator did, after systemd looked.
			if err := m.ReloadHost(ctx); err != nil {
				return err
			}
			if loaded, active = m.unitState(ctx, systemd, s); !loaded {
				return errors.New("systemd has no such unit; is virt-sandbox-service-generator in a directory of system generators " +
					"(systemd.generator(7)), and does it run without complaint: virt-sandbox-service-generator --dry-run?")
			}
		}
		if active {
			m.Warn("%s %v", name, ErrAlreadyRunning)
			done <- "done"
			return nil
		}
		_, err := systemd.StartUnitContext(ctx, s.HostUnit(), "replace", done)
		return err
	})
}

// StopUnit stops the unit of a container, and the container itself where no unit runs it.
func (m *Manager) StopUnit(ctx context.Context, name string) error {
	s, err := m.asStarted(name)
	if err != nil {
		return err
	}
	err = m.withUnit(ctx, s, func(systemd *dbus.Conn, done chan string) error {
		if loaded, _ := m.unitState(ctx, systemd, s); !loaded {
			done <- "done"
			return nil
		}
		_, err := systemd.StopUnitContext(ctx, s.HostUnit(), "replace", done)
		var failure godbus.Error
		if errors.As(err, &failure) && failure.Name == "org.freedesktop.systemd1.NoSuchUnit" {
			done <- "done"
			return nil
		}
		return err
	})
	if err != nil || m.run(name).Phase() == "" {
		return err
	}
	return m.Stop(ctx, name)
}

// unitState tells whether systemd has the unit that is made from the sandbox's config, and whether it is active. A unit
// that only has the name is not it: distributions ship templates such as apache2@.service, which run on the host itself.
func (m *Manager) unitState(ctx context.Context, systemd *dbus.Conn, s *config.Sandbox) (loaded, active bool) {
	properties, err := systemd.GetUnitPropertiesContext(ctx, s.HostUnit())
	if err != nil || properties["SourcePath"] != m.Store.Path(s.Name) || properties["LoadState"] != "loaded" {
		return false, false
	}
	return true, properties["ActiveState"] == "active"
}

// withUnit has act queue a job for the unit of a container, and waits for its end.
func (m *Manager) withUnit(ctx context.Context, s *config.Sandbox, act func(*dbus.Conn, chan string) error) error {
	systemd, err := dbus.NewSystemConnectionContext(ctx)
	if err != nil {
		return fmt.Errorf("connect to systemd: %w", err)
	}
	defer systemd.Close()
	done := make(chan string, 1)
	if err := act(systemd, done); err != nil {
		return fmt.Errorf("%s: %w", s.HostUnit(), err)
	}
	select {
	case result := <-done:
		if result != "done" {
			return fmt.Errorf("%s: the job ended with %q; its journal says:\n%s", s.HostUnit(), result, lastJournal(ctx, systemd, s.HostUnit()))
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// lastJournal reads what a unit of the host logged in its last run.
func lastJournal(ctx context.Context, systemd *dbus.Conn, unit string) string {
	property, err := systemd.GetUnitPropertyContext(ctx, unit, "InvocationID")
	if err != nil {
		return err.Error()
	}
	id, _ := property.Value.Value().([]byte)
	out, err := exec.CommandContext(ctx, "journalctl", "--quiet", "--no-pager", "--output=cat", "--lines=20",
		"_SYSTEMD_INVOCATION_ID="+hex.EncodeToString(id)).CombinedOutput()
	if err != nil {
		return err.Error()
	}
	return clean(strings.TrimSpace(string(out)))
}
