// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/virt-sandbox/virt-sandbox/internal/enter"
	"github.com/virt-sandbox/virt-sandbox/internal/guest"
	"github.com/virt-sandbox/virt-sandbox/internal/logview"
	"github.com/virt-sandbox/virt-sandbox/internal/throttle"
)

// What logrotate(8) goes by, inside: the programs and what packages say of their logs are the host's, logs and state
// the container's own.
const (
	logrotateConfig = "/etc/logrotate.conf"
	logrotateState  = "/var/lib/logrotate"
)

// logrotateLimit is how long one container may hold up the others.
const logrotateLimit = 10 * time.Minute

// ErrNoLogrotate is returned by RotateLogs for a container that has no logrotate or no configuration of it.
var ErrNoLogrotate = errors.New("has no logrotate configuration")

// RotateLogs runs logrotate in a running container under its label. Errors: ErrNotRunning, ErrNoLogrotate.
func (m *Manager) RotateLogs(ctx context.Context, name string, output io.Writer) error {
	ctx, cancel := context.WithTimeoutCause(ctx, logrotateLimit, fmt.Errorf("it takes longer than %v", logrotateLimit))
	defer cancel()
	// Root inside has names that are terminals' escape sequences, and can say more than a journal holds.
	harmless := &logview.Lines{Out: throttle.New(output)}
	defer harmless.Flush()
	said := &logview.Rotation{Out: harmless}
	run := func(args ...string) (int, error) {
		status, err := m.Execute(ctx, name, enter.Command{Args: args, Stdout: said, Stderr: said}, false)
		if cause := context.Cause(ctx); cause != nil {
			err = fmt.Errorf("rotate logs of %s: %w", name, cause)
		}
		return status, err
	}
	status, err := run("test", "-f", logrotateConfig)
	if err != nil {
		return err
	}
	if status != 0 {
		return fmt.Errorf("%s %w", name, ErrNoLogrotate)
	}
	// Its default place is not made by every package.
	if status, err = run("mkdir", "-p", logrotateState); err == nil && status == 0 {
		status, err = run("env", "LC_ALL=C", "logrotate", logrotateConfig)
	}
	_ = said.Flush()
	switch {
	case err != nil:
		return err
	case status == guest.StatusNotFound:
		return fmt.Errorf("%s %w", name, ErrNoLogrotate)
	case status != 0 && !said.OnlyAbsent():
		return fmt.Errorf("rotate logs of %s: exit status %d", name, status)
	}
	return nil
}
