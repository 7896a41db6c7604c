// SPDX-License-Identifier: Apache-2.0

// Package freezing freezes a container for as long as a verb copies its content, so that it always runs on afterwards.
// In: the container's runtime directory and its cgroup. Out: a container that stands still until it is released. Should
// the verb be killed, a process that waits for that thaws the container, and so does whoever locks its name next.
package freezing

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"github.com/virt-sandbox/virt-sandbox/internal/cgroup"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/programs"
)

// Freezer is what freezes a container, as cgroup.Freezer does.
type Freezer interface {
	Freeze(ctx context.Context) error
	Thaw() error
}

// Guardian watches over a container that is frozen.
type Guardian interface {
	// Start begins to watch, and thaws when this process is no more.
	Start() (end func(), err error)
}

// Freeze freezes a container until release is called.
// Preconditions: the caller holds the lock on the sandbox's name.
func Freeze(
	ctx context.Context,
	dir places.RunDir,
	f cgroup.Freezer,
	guard Guardian,
) (release func() error, err error) {
	return freeze(ctx, dir, string(f), f, guard)
}

func freeze(
	ctx context.Context, dir places.RunDir, group string, f Freezer, guard Guardian,
) (release func() error, err error) {
	end, err := guard.Start()
	if err != nil {
		return nil, err
	}
	release = func() error {
		err := thaw(dir, f)
		end()
		return err
	}
	// First the note, so that whoever comes after an interruption finds what to thaw.
	if err := dir.Update(func(s *places.State) { s.Frozen = group }); err != nil {
		return nil, errors.Join(err, release())
	}
	if err := f.Freeze(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("halt %s: %w", dir.Name(), err), release())
	}
	return release, nil
}

// Thaw thaws a container that is noted as frozen; for any other it does nothing.
// Preconditions: the caller holds the lock on the sandbox's name.
func Thaw(dir places.RunDir) error {
	group := dir.State().Frozen
	if group == "" {
		return nil
	}
	return thaw(dir, cgroup.Freezer(group))
}

func thaw(dir places.RunDir, f Freezer) error {
	if dir.State().Frozen == "" {
		return nil
	}
	err := f.Thaw()
	if err == nil {
		err = dir.Update(func(s *places.State) { s.Frozen = "" })
	}
	if err != nil {
		return fmt.Errorf("let the container run on: %w", err)
	}
	return nil
}

// Guard is a process that thaws a container when this process is no more.
type Guard struct {
	URI  string // where the container runs
	Name string // of its sandbox
}

// Start implements Guardian. The process learns of the end of this one by the end of its standard input.
func (g Guard) Start() (end func(), err error) {
	program, err := programs.Find("virt-sandbox-service-helper")
	if err != nil {
		return nil, err
	}
	process := exec.Command(program, "-c", g.URI, "thaw", g.Name)
	process.Stderr = os.Stderr
	// What is typed to end this process must not reach it.
	process.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	stdin, err := process.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start helper: %w", err)
	}
	if err := process.Start(); err != nil {
		return nil, fmt.Errorf("start helper: %w", err)
	}
	return func() {
		// It finds nothing to do, and waits for the lock that this process still has.
		_ = process.Process.Kill()
		stdin.Close()
		_ = process.Wait()
	}, nil
}
