// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/enter"
	"github.com/virt-sandbox/virt-sandbox/internal/field"
	"github.com/virt-sandbox/virt-sandbox/internal/logview"
	"github.com/virt-sandbox/virt-sandbox/internal/outputspool"
)

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
	if s.Generic() {
		if o.Unit != "" {
			return 0, field.Errorf("%s runs a command and has no units; leave %s out", name, field.Units)
		}
		if m.systemd.Booted() {
			return logview.Host(ctx, s.HostUnit(), args, out, warnings)
		}
		return 0, logview.ConsoleFile(ctx, s, o, out)
	}
	_, err = m.controllerPID(s)
	if errors.Is(err, ErrNotRunning) {
		return m.journalOfStopped(ctx, s, o, args, out, warnings)
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

// journalOfStopped shows the journal of a sandbox that is down. One in an image cannot be started while that is read,
// so that nothing waits then for who takes the output.
func (m *Manager) journalOfStopped(
	ctx context.Context, s *config.Sandbox, o logview.Options, args []string, stdout, stderr io.Writer,
) (int, error) {
	if s.Image == "" {
		return logview.Stopped(ctx, s, args, stdout, stderr)
	}
	if o.Follow {
		return 0, fmt.Errorf("%s %w; start it to follow its journal", s.Name, ErrNotRunning)
	}
	release, err := m.images().Hold(ctx, s)
	if err != nil {
		return 0, err
	}
	status, err := outputspool.Run(maxKeptLog, stdout, stderr, release, func(stdout, stderr io.Writer) (int, error) {
		return logview.Stopped(ctx, s, args, stdout, stderr)
	})
	var full *outputspool.FullError
	if errors.As(err, &full) {
		err = field.Errorf("%w; ask for less with %s, %s, %s or %s",
			err, field.Lines, field.Units, field.Since, field.Until)
	}
	return status, err
}

// maxKeptLog bounds what is kept of a journal until somebody takes it, in bytes.
const maxKeptLog = 1 << 30
