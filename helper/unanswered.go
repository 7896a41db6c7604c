package helper

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
)

// endUnanswered brings a container down without libvirt: systemd starts no libvirtd while a unit that is ordered after it
// stops, so the stop of a container would wait for what waits for it. Errors: ErrNotRunning.
func (m *Manager) endUnanswered(ctx context.Context, s *config.Sandbox, limit time.Duration) error {
	controller, err := controllerByFile(s.Name)
	if err != nil {
		return err
	}
	if controller == nil {
		return m.notRunning(s.Name)
	}
	defer controller.Close()
	m.Warn("libvirt does not answer; shutting %s down without it", s.Name)
	groups := libvirtCgroup(controller.PID())
	kill := func() error { return controller.Signal(unix.SIGKILL) }
	if err := m.shutDown(ctx, controller, s, limit, kill); err != nil {
		return err
	}
	// From these a libvirtd that comes later takes it for one that is being started, and refuses the next start.
	for _, suffix := range []string{".xml", ".pid"} {
		if err := os.Remove(filepath.Join(libvirtState, s.Name+suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove what libvirt keeps of the run: %w", err)
		}
	}
	if groups != "" {
		if err := removeCgroups(groups); err != nil {
			return err
		}
	}
	m.removeDevices(s)
	return m.sweep(s.Name)
}

// libvirtCgroup gives the name of the groups that libvirt has made for the container of a controller; "" where systemd
// made them, which removes them too.
func libvirtCgroup(controller int) string {
	groups, err := proc.Host.Cgroup(controller)
	if err != nil {
		return ""
	}
	for word := range strings.FieldsFuncSeq(groups, func(r rune) bool { return r == '/' || r == '\n' }) {
		if isLibvirtsGroup(word) && strings.HasPrefix(word, "lxc-"+strconv.Itoa(controller)+"-") {
			return word
		}
	}
	return ""
}

// controllerByFile opens the libvirt_lxc process of a domain by the file in which libvirt keeps its number; nil where it
// does not run.
func controllerByFile(name string) (*proc.Process, error) {
	text, err := os.ReadFile(filepath.Join(libvirtState, name+".pid"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find the container's process: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("find the container's process in %s.pid: %w", name, err)
	}
	controller, err := proc.Open(pid)
	if err != nil {
		return nil, nil
	}
	// The file of one that was killed stays, and its number may be another's.
	if arguments, err := proc.Host.Arguments(pid); err != nil || controlled(arguments) != name {
		controller.Close()
		return nil, nil
	}
	return controller, nil
}

// controlled gives the name of the domain that a process with these arguments controls; "" where it is no libvirt_lxc.
func controlled(words []string) string {
	at := slices.IndexFunc(words, func(w string) bool { return w == "--name" })
	if filepath.Base(words[0]) != "libvirt_lxc" || at < 1 || at+1 >= len(words) {
		return ""
	}
	return words[at+1]
}
