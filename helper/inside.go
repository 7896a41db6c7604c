// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"context"
	"strings"
	"time"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/consoletext"
	"github.com/virt-sandbox/virt-sandbox/internal/enter"
	"github.com/virt-sandbox/virt-sandbox/internal/innersystemd"
	"github.com/virt-sandbox/virt-sandbox/internal/printable"
)

// innerSystemd is the systemd of a running container, as far as the verbs need it.
type innerSystemd interface {
	Unit(ctx context.Context, unit string) (innersystemd.State, error)
	WaitActive(ctx context.Context, units []string) (states []string, err error)
	Failed(ctx context.Context) ([]string, error)
	RunningJobs(ctx context.Context) ([]string, error)
	Reload(ctx context.Context, unit string) error
	Close()
}

// UnitError is a unit that did not come up inside.
type UnitError = innersystemd.UnitError

// innerSystemdOf connects to the systemd of the running container of a sandbox.
func (m *Manager) innerSystemdOf(ctx context.Context, s *config.Sandbox) (innerSystemd, error) {
	target, err := m.targetOf(s)
	if err != nil {
		return nil, err
	}
	return innersystemd.Dial(ctx, target)
}

// checkUnits returns the states of a container's units, which ought to be up.
func (m *Manager) checkUnits(ctx context.Context, s *config.Sandbox) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return m.awaitUnits(ctx, s)
}

// awaitUnits waits until the units of a container are up and returns their states.
func (m *Manager) awaitUnits(ctx context.Context, s *config.Sandbox) ([]string, error) {
	systemd, err := m.innerSystemdOf(ctx, s)
	if err != nil {
		return nil, err
	}
	defer systemd.Close()
	return systemd.WaitActive(ctx, s.Units)
}

// journalOf reads the last lines that a unit logged, from inside: the container's journal is not to be parsed by a
// program with the host's rights.
func (m *Manager) journalOf(s *config.Sandbox, unit string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	target, err := m.targetOf(s)
	if err != nil {
		return ""
	}
	// A unit that goes on failing writes while this reads, and then journalctl may find nothing.
	for range 20 {
		text := inJournal(ctx, s, target, "--sync") +
			inJournal(ctx, s, target, "--no-pager", "--quiet", "--output=short", "--lines=10", "--unit="+unit)
		if text != "" || ctx.Err() != nil {
			return text
		}
		time.Sleep(100 * time.Millisecond)
	}
	return ""
}

func inJournal(ctx context.Context, s *config.Sandbox, target enter.Target, args ...string) string {
	out := consoletext.Head{Left: consoletext.Kept} // what journalctl says of a failure is an answer too
	_, err := enter.Run(ctx, target, enter.Command{
		Args:        append([]string{"journalctl"}, args...),
		Environment: enter.Environment(s.Name),
		Stdout:      &out,
		Stderr:      &out,
	})
	if err != nil {
		return err.Error()
	}
	return printable.Text(strings.TrimRight(out.String(), "\n"))
}
