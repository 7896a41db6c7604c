// SPDX-License-Identifier: Apache-2.0

package logview

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/account"
	"github.com/virt-sandbox/virt-sandbox/internal/contentjournal"
	"github.com/virt-sandbox/virt-sandbox/internal/describe"
	"github.com/virt-sandbox/virt-sandbox/internal/field"
	"github.com/virt-sandbox/virt-sandbox/internal/journalrelay"
	"github.com/virt-sandbox/virt-sandbox/internal/outputspool"
	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
)

// Stopped shows the journal of a container that is down. One in an image, which hold mounts until it is released,
// cannot be started while that is read, so that nothing waits then for who takes the output.
func Stopped(
	ctx context.Context, s *config.Sandbox, o Options, hold func() (release func(), err error),
	stdout, stderr io.Writer,
) (int, error) {
	args, err := o.Arguments()
	if err != nil {
		return 0, err
	}
	if s.Image == "" {
		return readStopped(ctx, s, args, stdout, stderr)
	}
	if o.Follow {
		return 0, fmt.Errorf("%s is not running; start it to follow its journal", s.Name)
	}
	release, err := hold()
	if err != nil {
		return 0, err
	}
	status, err := outputspool.Run(maxKept, stdout, stderr, release, func(stdout, stderr io.Writer) (int, error) {
		return readStopped(ctx, s, args, stdout, stderr)
	})
	var full *outputspool.FullError
	if errors.As(err, &full) {
		err = field.Errorf("%w; ask for less with %s, %s, %s or %s",
			err, field.Lines, field.Units, field.Since, field.Until)
	}
	return status, err
}

// maxKept bounds what is kept of a journal until somebody takes it, in bytes.
const maxKept = 1 << 30

// readStopped reads the journal of a container that is down, as a user who may do nothing but that.
func readStopped(
	ctx context.Context, s *config.Sandbox, args []string, stdout, stderr io.Writer,
) (int, error) {
	dir, err := contentjournal.Open(s)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("%s has no journal yet", s.Name)
	}
	if err != nil {
		return 0, err
	}
	defer dir.Close()
	readers := uint32(journalrelay.Nobody)
	if id, found := account.GroupID("", journalrelay.Readers); found {
		readers = uint32(id)
	}
	command := exec.CommandContext(ctx, "journalctl", append([]string{journalrelay.Directory}, args...)...)
	command.ExtraFiles, command.Dir, command.SysProcAttr = []*os.File{dir}, "/", journalrelay.Rights(readers)
	return run(ctx, command, stdout, stderr)
}

func run(ctx context.Context, command *exec.Cmd, stdout, stderr io.Writer) (int, error) {
	command.Stdout, command.Stderr = stdout, stderr
	err := command.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && ctx.Err() == nil {
		return exit.ExitCode(), nil
	}
	return Outcome(ctx, 0, err)
}

// Host shows what the host's journal has of a sandbox: of a command what its unit on the host logged, of others what
// was passed on to it.
func Host(ctx context.Context, s *config.Sandbox, o Options, stdout, stderr io.Writer) (int, error) {
	args, err := hostArguments(s, o)
	if err != nil {
		return 0, err
	}
	return run(ctx, exec.CommandContext(ctx, "journalctl", args...), stdout, stderr)
}

// hostArguments are those of journalctl(1) for what the host's journal has of a sandbox.
func hostArguments(s *config.Sandbox, o Options) ([]string, error) {
	unit := o.Unit
	o.Unit = ""
	args, err := o.Arguments()
	if err != nil {
		return nil, err
	}
	args = append(args, "--unit="+s.HostUnit())
	if !s.Generic() {
		args = append(args, "SANDBOX="+s.Name)
	}
	if unit != "" {
		if unit = unitname.Complete(unit); config.CheckUnit(unit) != nil {
			return nil, &describe.OptionError{Err: field.Errorf("%s: %w", field.Units, config.CheckUnit(unit))}
		}
		args = append(args, journalrelay.UnitField+"="+unit)
	}
	return args, nil
}

// Relayed shows what of a container's journal was passed on to the host's, for a caller who is not root; of one that
// runs a command its console. hasSystemd says whether the host was booted with systemd. Errors: ErrNotReadable.
func Relayed(
	ctx context.Context, s *config.Sandbox, hasSystemd bool, o Options, stdout, stderr io.Writer,
) (int, error) {
	switch {
	case s.Generic() && o.Unit != "":
		return 0, field.Errorf("%s runs a command and has no units; leave %s out", s.Name, field.Units)
	case !hasSystemd:
		return 0, errors.New("the host runs no systemd, and so has no journal; root is needed")
	case !s.Generic() && s.Forward == config.ForwardNo:
		return 0, fmt.Errorf("%s passes nothing on to the host's journal (forward=no in [journal]); root is needed", s.Name)
	}
	if _, err := hostArguments(s, o); err != nil {
		return 0, err
	}
	if !hostIsReadable() {
		return 0, ErrNotReadable
	}
	return Host(ctx, s, o, stdout, stderr)
}

// ErrNotReadable is returned to a caller who may not read the journal of the host: journalctl(1) would show nothing, in
// silence.
var ErrNotReadable = errors.New("only root and members of the group systemd-journal read the host's journal")

// hostIsReadable reports whether there is a journal of the host's system that the caller may read.
func hostIsReadable() bool {
	for _, dir := range []string{"/var/log/journal", "/run/log/journal"} {
		files, _ := filepath.Glob(filepath.Join(dir, "*", "system.journal"))
		for _, name := range files {
			if f, err := os.Open(name); err == nil {
				f.Close()
				return true
			}
		}
	}
	return false
}

// Outcome returns the outcome of a program that the end of the context ends too: that is how a person stops to follow.
func Outcome(ctx context.Context, status int, err error) (int, error) {
	if ctx.Err() != nil {
		return 0, nil
	}
	return status, err
}
