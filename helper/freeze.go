package helper

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/cgroup"
	"github.com/virt-sandbox/virt-sandbox/internal/field"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/programs"
	"github.com/virt-sandbox/virt-sandbox/internal/virt"
)

// hold keeps a container that is up from changing its content until release is called: it halts all its processes, if it
// may. The caller has the lock on its name. Should the caller be killed, a process that waits for that sets the container
// free, and so does whoever locks the name next.
func (m *Manager) hold(ctx context.Context, s *config.Sandbox, freeze bool) (release func() error, err error) {
	free := func() error { return nil }
	started, err := m.asStarted(s.Name)
	if err != nil {
		return nil, err
	}
	connection, err := m.libvirt.Connect()
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	running, err := connection.OwnDomain(started)
	if err != nil {
		return nil, err
	}
	if running == nil {
		return free, nil
	}
	defer running.Free()
	if p := m.run(s.Name).Phase(); p != places.PhaseReady {
		return nil, fmt.Errorf("an interrupted start or stop left %s half way; run stop first", s.Name)
	}
	if !freeze {
		return nil, field.Errorf("%s %w; stop it first, or have it halted for as long as the copy takes with %s",
			s.Name, ErrRunning, field.Freeze)
	}
	if running.IsPaused() {
		return free, nil
	}
	freezer, err := findFreezer(running, s.Name)
	if err != nil {
		return nil, fmt.Errorf("halt %s: %w", s.Name, err)
	}
	return m.freeze(ctx, s.Name, freezer)
}

func (m *Manager) freeze(ctx context.Context, name string, f cgroup.Freezer) (release func() error, err error) {
	end, err := m.guardFrozen(name)
	if err != nil {
		return nil, err
	}
	dir := m.run(name)
	release = func() error {
		err := thaw(dir)
		end()
		return err
	}
	if err := dir.Update(func(s *places.State) { s.Frozen = string(f) }); err != nil {
		return nil, errors.Join(err, release())
	}
	if err := f.Freeze(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("halt %s: %w", name, err), release())
	}
	return release, nil
}

// guardFrozen starts the process that sets a container free when this one is no more. It is told of that by the end of its
// standard input.
func (m *Manager) guardFrozen(name string) (end func(), err error) {
	program, err := programs.Find("virt-sandbox-service-helper")
	if err != nil {
		return nil, err
	}
	guard := exec.Command(program, "-c", m.URI, "thaw", name)
	guard.Stderr = os.Stderr
	// What is typed to end this process must not reach it.
	guard.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	stdin, err := guard.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start helper: %w", err)
	}
	if err := guard.Start(); err != nil {
		return nil, fmt.Errorf("start helper: %w", err)
	}
	return func() {
		// It finds nothing to do, and waits for the lock that this process still has.
		_ = guard.Process.Kill()
		stdin.Close()
		_ = guard.Wait()
	}, nil
}

// Thaw sets a container free that a killed process left halted.
func (m *Manager) Thaw(ctx context.Context, name string) error {
	lock, err := m.lockName(ctx, name)
	if err != nil {
		return err
	}
	lock.Release()
	return nil
}

// findFreezer finds the group that all processes of a container are in.
func findFreezer(running *virt.Domain, name string) (cgroup.Freezer, error) {
	controller, err := controllerOf(running)
	if err != nil {
		return "", err
	}
	defer controller.Close()
	init, err := initOf(controller.PID())
	if err != nil {
		return "", err
	}
	groups, err := cgroup.Host().Of(init)
	if err != nil {
		return "", err
	}
	return groups.Freezer(name)
}

// thaw thaws a container that is noted as frozen.
// Preconditions: the caller holds the lock on the sandbox's name.
func thaw(d places.RunDir) error {
	group := d.State().Frozen
	if group == "" {
		return nil
	}
	err := cgroup.Freezer(group).Thaw()
	if err == nil {
		err = d.Update(func(s *places.State) { s.Frozen = "" })
	}
	if err != nil {
		return fmt.Errorf("let the container run on: %w", err)
	}
	return nil
}
