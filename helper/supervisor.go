package helper

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/coreos/go-systemd/v22/dbus"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
)

// End carries out what systemd asks of a unit that ends, in ExecStop= and ExecStopPost=: it stops the container, or leaves
// it alone where the unit only lost the process that watched it. last says that it is the last that systemd asks; then a
// unit whose process was killed is started again, which takes over a container that is up.
func (m *Manager) End(ctx context.Context, name string, last bool) error {
	inUnit := os.Getenv("SERVICE_RESULT") != ""
	if inUnit && m.run(name).IsForeign() {
		// Another unit of this container runs it; ours has only found that out.
		return nil
	}
	unit := hostUnit{toStop: true}
	if inUnit {
		var err error
		if unit, err = ownUnit(ctx); err != nil {
			m.Warn("cannot tell what systemd wants of the unit of %s: %v", name, err)
			unit.toStop = !wasKilled()
		}
	}
	lost := false
	if !unit.toStop {
		var err error
		if lost, err = m.watcherLost(name); err != nil {
			return err
		}
	}
	if !lost {
		if err := m.endInUnit(ctx, name, last); err != nil {
			return err
		}
	}
	if !last || unit.toStop || !wasKilled() {
		return nil
	}
	if lost {
		m.Warn("%s goes on without the process that watched it; the next one takes it over", name)
	}
	if err := unit.startAgain(ctx); err != nil {
		// As when the host shuts down.
		return errors.Join(err, m.endInUnit(ctx, name, last))
	}
	return nil
}

func (m *Manager) endInUnit(ctx context.Context, name string, last bool) error {
	err := m.Stop(ctx, name)
	if errors.Is(err, ErrNotRunning) || errors.Is(err, config.ErrNotFound) {
		return nil
	}
	var syntax *config.SyntaxError
	if last && errors.As(err, &syntax) {
		// The start has said so; there was nothing to end.
		return nil
	}
	return err
}

// wasKilled tells whether a signal ended the main process of the unit (systemd.exec(5), EXIT_CODE).
func wasKilled() bool {
	code := os.Getenv("EXIT_CODE")
	return code == "killed" || code == "dumped"
}

// watcherLost tells whether the main process of the unit was killed (systemd.exec(5): MAINPID is set where it lives), while
// the container is up and nobody has begun to stop it.
func (m *Manager) watcherLost(name string) (bool, error) {
	if !wasKilled() || os.Getenv("MAINPID") != "" || m.run(name).Phase() != places.PhaseReady {
		return false, nil
	}
	s, err := m.asStarted(name)
	if err != nil {
		return false, err
	}
	connection, err := m.connect()
	if err != nil {
		return false, err
	}
	defer connection.Close()
	running, err := ownDomain(connection, s)
	if err != nil || running == nil {
		return false, err
	}
	running.Free()
	return true, nil
}

// hostUnit is the unit that this process belongs to.
type hostUnit struct {
	name   string
	toStop bool // a job wants it down, or down and up again
}

func ownUnit(ctx context.Context) (hostUnit, error) {
	// Not over the bus, which may be down already.
	systemd, err := dbus.NewSystemdConnectionContext(ctx)
	if err != nil {
		return hostUnit{}, fmt.Errorf("connect to systemd: %w", err)
	}
	defer systemd.Close()
	unit := hostUnit{}
	if unit.name, err = systemd.GetUnitNameByPID(ctx, uint32(os.Getpid())); err != nil {
		return hostUnit{}, fmt.Errorf("find own unit: %w", err)
	}
	jobs, err := systemd.ListJobsContext(ctx)
	if err != nil {
		return hostUnit{}, fmt.Errorf("list jobs of systemd: %w", err)
	}
	for _, j := range jobs {
		if j.Unit == unit.name && (j.JobType == "stop" || j.JobType == "restart") {
			unit.toStop = true
		}
	}
	return unit, nil
}

// startAgain queues a start of the unit for when it has ended. Unlike Restart= it leaves no pause in which a stop would find
// a unit that is down and a container that is up. It goes back behind any job that came meanwhile.
func (u hostUnit) startAgain(ctx context.Context) error {
	systemd, err := dbus.NewSystemdConnectionContext(ctx)
	if err != nil {
		return fmt.Errorf("connect to systemd: %w", err)
	}
	defer systemd.Close()
	if _, err := systemd.StartUnitContext(ctx, u.name, "fail", nil); err != nil {
		return fmt.Errorf("start %s again: %w", u.name, err)
	}
	return nil
}
