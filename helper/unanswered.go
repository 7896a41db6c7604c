package helper

import (
	"context"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/cgroup"
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
	groups := cgroup.Host().MadeByLibvirt(controller.PID())
	kill := func() error { return controller.Signal(unix.SIGKILL) }
	if err := m.shutDown(ctx, controller, s, limit, kill); err != nil {
		return err
	}
	if err := m.stateFiles().RemoveState(s.Name); err != nil {
		return err
	}
	if groups != "" {
		if err := cgroup.Host().Remove(groups); err != nil {
			return err
		}
	}
	m.hostnet().RemoveDevices(s)
	return m.sweep(s.Name)
}
