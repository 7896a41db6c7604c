// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/virt-sandbox/virt-sandbox/internal/enter"
	"github.com/virt-sandbox/virt-sandbox/internal/field"
	"github.com/virt-sandbox/virt-sandbox/internal/journalrelay"
	"github.com/virt-sandbox/virt-sandbox/internal/logview"
)

// Journal returns what of its journal is to be passed on to the host's; nil for nothing.
func (r *Running) Journal() (*journalrelay.Source, error) {
	return r.host.Journal(r.Sandbox, r.begun, r.Init)
}

// LogOptions choose what is shown of a journal, as those of journalctl(1) do.
type LogOptions = logview.Options

// LogForms are the forms of journalctl(1) that LogOptions.Output can be: text for a person or a script.
func LogForms() []string { return logview.Forms() }

// Logs shows the journal of a sandbox, or the console of one that runs a command, and returns the exit status of
// journalctl(1), which alone reads what root in the container may have made of its journal: inside of a container that
// is up, and without rights for one that is down.
func (m *Manager) Logs(ctx context.Context, name string, o LogOptions, stdout, stderr io.Writer) (int, error) {
	args, err := o.Arguments()
	if err != nil {
		return 0, err
	}
	s, err := m.asStarted(name)
	if err != nil {
		return 0, err
	}
	out, warnings := &logview.Lines{Out: stdout}, &logview.Lines{Out: stderr}
	defer out.Flush()
	defer warnings.Flush()
	if m.byFiles {
		return logview.Relayed(ctx, s, m.systemd.Booted(), o, out, warnings)
	}
	if s.Generic() && o.Unit != "" {
		return 0, field.Errorf("%s runs a command and has no units; leave %s out", name, field.Units)
	}
	if m.systemd.Booted() && (s.Generic() || s.StoredByHost()) {
		return logview.Host(ctx, s, o, out, warnings)
	}
	if s.Generic() {
		return 0, logview.ConsoleFile(ctx, s, o, out)
	}
	_, err = m.controllerPID(s)
	if errors.Is(err, ErrNotRunning) {
		hold := func() (func(), error) { return m.images().Hold(ctx, s) }
		return logview.Stopped(ctx, s, o, hold, out, warnings)
	}
	if err != nil {
		return 0, err
	}
	target, err := m.targetOf(s)
	if err != nil {
		return 0, fmt.Errorf("enter %s: %w", name, err)
	}
	status, err := enter.Run(ctx, target, enter.Command{
		Args: append([]string{"journalctl"}, args...), Environment: enter.Environment(s.Name), Stdout: out, Stderr: warnings,
	})
	return logview.Outcome(ctx, status, err)
}
