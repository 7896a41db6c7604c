package helper

import (
	"context"
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
	controller, err := m.stateFiles().Controller(s.Name)
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
	if err := m.stateFiles().RemoveState(s.Name); err != nil {
		return err
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
