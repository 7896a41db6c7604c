package helper

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/enter"
	"github.com/virt-sandbox/virt-sandbox/internal/guest"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/programs"
	"github.com/virt-sandbox/virt-sandbox/internal/virt"
)

const (
	// freezeLimit is how long the kernel may take to halt all processes of a container.
	freezeLimit = 10 * time.Second
	// freezeAgain is after how long it is asked anew: with cgroup version 1, one that makes processes all the time can stay half
	// way for good.
	freezeAgain = 500 * time.Millisecond
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
		return nil, fmt.Errorf("%s %w; stop it first, or have it halted for as long as the copy takes with --freeze", s.Name, ErrRunning)
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

func (m *Manager) freeze(ctx context.Context, name string, f freezer) (release func() error, err error) {
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
	if err := f.freeze(ctx); err != nil {
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

// freezer is the cgroup that halts a container: of cgroup version 2, or of the freezer of version 1.
type freezer string

// findFreezer finds the group that all processes of a container are in.
func findFreezer(running *virt.Domain, name string) (freezer, error) {
	controller, err := controllerOf(running)
	if err != nil {
		return "", err
	}
	defer controller.Close()
	init, err := initOf(controller.PID())
	if err != nil {
		return "", err
	}
	groups, err := enter.Cgroups(init)
	if err != nil {
		return "", err
	}
	for _, hierarchy := range []string{"freezer", ""} {
		if dir, found := groups[hierarchy]; found {
			if group := containerGroup(dir, name); group != "" {
				return freezer(group), nil
			}
		}
	}
	return "", errors.New("it has no cgroup that can be frozen")
}

// containerGroup gives the topmost group above dir, or dir, that is one container's alone; "" for none.
func containerGroup(dir, name string) string {
	parts := strings.Split(dir, "/")
	for i, part := range parts {
		if isOfContainer(part) || part == guest.CgroupPrefix+name {
			return strings.Join(parts[:i+1], "/")
		}
	}
	return ""
}

// version1 tells of the freezer of cgroup version 1, whose words are others.
func (f freezer) version1() bool {
	_, err := os.Stat(filepath.Join(string(f), "freezer.state"))
	return err == nil
}

func (f freezer) freeze(ctx context.Context) error {
	file, word, patience := "cgroup.freeze", "1", freezeLimit
	if f.version1() {
		file, word, patience = "freezer.state", "FROZEN", freezeAgain
	}
	for begun := time.Now(); time.Since(begun) < freezeLimit; {
		if err := os.WriteFile(filepath.Join(string(f), file), []byte(word), 0); err != nil {
			return err
		}
		if frozen, err := f.awaitFrozen(ctx, patience); frozen || err != nil {
			return err
		}
		if err := f.thaw(); err != nil {
			return err
		}
	}
	return fmt.Errorf("a process of it does not halt within %v", freezeLimit)
}

func (f freezer) awaitFrozen(ctx context.Context, patience time.Duration) (frozen bool, err error) {
	for begun := time.Now(); !f.isFrozen(); {
		if time.Since(begun) > patience {
			return false, nil
		}
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case <-time.After(5 * time.Millisecond):
		}
	}
	return true, nil
}

func (f freezer) isFrozen() bool {
	file, word := "cgroup.events", "frozen 1"
	if f.version1() {
		file, word = "freezer.state", "FROZEN"
	}
	text, err := os.ReadFile(filepath.Join(string(f), file))
	return err == nil && strings.Contains("\n"+string(text), "\n"+word+"\n")
}

// thaw lets the processes of a group run on; one that is gone has none.
func (f freezer) thaw() error {
	file, word := "cgroup.freeze", "0"
	if f.version1() {
		file, word = "freezer.state", "THAWED"
	}
	err := os.WriteFile(filepath.Join(string(f), file), []byte(word), 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}

// thaw thaws a container that is noted as frozen.
// Preconditions: the caller holds the lock on the sandbox's name.
func thaw(d places.RunDir) error {
	group := d.State().Frozen
	if group == "" {
		return nil
	}
	err := freezer(group).thaw()
	if err == nil {
		err = d.Update(func(s *places.State) { s.Frozen = "" })
	}
	if err != nil {
		return fmt.Errorf("let the container run on: %w", err)
	}
	return nil
}
