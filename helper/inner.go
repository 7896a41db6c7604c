package helper

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	godbus "github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/enter"
	"github.com/virt-sandbox/virt-sandbox/internal/namespace"
	"github.com/virt-sandbox/virt-sandbox/internal/printable"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
)

// innerManager connects to the systemd of a container over the container's system bus. Its private socket would not do:
// it turns away whoever has no process number in the container.
func innerManager(ctx context.Context, target enter.Target) (*dbus.Conn, error) {
	return dbus.NewConnection(func() (*godbus.Conn, error) {
		stream, err := dialInside(target, "run/dbus/system_bus_socket")
		if err != nil {
			return nil, err
		}
		connection, err := godbus.NewConn(stream, godbus.WithContext(ctx))
		if err != nil {
			stream.Close()
			return nil, err
		}
		err = connection.Auth([]godbus.Auth{godbus.AuthExternal("0")})
		if err == nil {
			err = connection.Hello()
		}
		if err != nil {
			connection.Close()
			return nil, err
		}
		return connection, nil
	})
}

// innerManagerOf is innerManager for the running container of a sandbox.
func (m *Manager) innerManagerOf(ctx context.Context, s *config.Sandbox) (*dbus.Conn, error) {
	target, err := m.targetOf(s)
	if err != nil {
		return nil, err
	}
	manager, err := innerManager(ctx, target)
	if err != nil {
		return nil, fmt.Errorf("ask the container's systemd: %s", printable.Text(err.Error()))
	}
	return manager, nil
}

// dialInside connects to a socket by its path in the container. Links in that path are resolved inside, and only a
// process of the container may answer: root in there must not be able to turn our requests to the host's systemd.
func dialInside(target enter.Target, path string) (net.Conn, error) {
	root, err := unix.Open(proc.Host.Root(target.Process.PID), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open the container's root: %w", err)
	}
	defer unix.Close(root)
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS}
	socket, err := unix.Openat2(root, path, &how)
	if err != nil {
		return nil, fmt.Errorf("open /%s in the container: %w", path, err)
	}
	defer unix.Close(socket)
	var connection *net.UnixConn
	err = namespace.AsContainerRoot(target.Root, func() (err error) {
		connection, err = net.DialUnix("unix", nil, &net.UnixAddr{Name: "/proc/self/fd/" + strconv.Itoa(socket), Net: "unix"})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("connect to /%s in the container: %w", path, err)
	}
	if err := answeredInside(connection, target.Process.PID); err != nil {
		connection.Close()
		return nil, fmt.Errorf("connect to /%s in the container: %w", path, err)
	}
	return connection, nil
}

// answeredInside tells whether the other end of a connection is a process of the container.
func answeredInside(connection *net.UnixConn, initPID int) error {
	raw, err := connection.SyscallConn()
	if err != nil {
		return err
	}
	var peer *unix.Ucred
	var failure error
	if err := raw.Control(func(fd uintptr) {
		peer, failure = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return err
	}
	if failure != nil {
		return failure
	}
	inside, err := os.Readlink(proc.Host.Namespace(initPID, "pid"))
	if err != nil {
		return err
	}
	answering, err := os.Readlink(proc.Host.Namespace(int(peer.Pid), "pid"))
	if err != nil || answering != inside {
		return fmt.Errorf("process %d, which answers, is not of the container", peer.Pid)
	}
	return nil
}

// UnitError is a unit that did not come up inside.
type UnitError struct {
	Unit, Reason string
	Journal      string // its last lines, for a person
}

func (e *UnitError) Error() string { return fmt.Sprintf("%s inside %s", e.Unit, e.Reason) }

// settled is how long a service must be up that systemd counts as started when it is merely executed: one that ends at
// once is active for a moment too.
const settled = 250 * time.Millisecond

// restartsThatFail is how many automatic restarts make a unit count as failed.
const restartsThatFail = 3

// waitUnits waits until each unit is active and gives their states. Errors: *UnitError for one that failed; of the context.
func waitUnits(ctx context.Context, manager *dbus.Conn, units []string) (states []string, err error) {
	for _, unit := range units {
		for {
			state, err := readUnit(ctx, manager, unit)
			if err != nil {
				return nil, err
			}
			up, reason := state.verdict()
			if reason != "" {
				return nil, &UnitError{Unit: unit, Reason: reason}
			}
			if up {
				states = append(states, fmt.Sprintf("%s %s (%s)", unit, state.active, state.sub))
				break
			}
			select {
			case <-ctx.Done():
				return nil, &UnitError{Unit: unit, Reason: "did not start in time (" + state.active + ")"}
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	return states, nil
}

// unitState is what systemd says of a unit (org.freedesktop.systemd1(5)).
type unitState struct {
	load, active, sub, result, kind string
	restarts                        uint32
	skipped                         bool // by a condition
	ran                             bool // its main process was started at least once
	canReload                       bool
	activeFor                       time.Duration
}

func readUnit(ctx context.Context, manager *dbus.Conn, unit string) (unitState, error) {
	properties, err := manager.GetAllPropertiesContext(ctx, unit)
	if err != nil {
		if ctx.Err() != nil {
			return unitState{}, ctx.Err()
		}
		return unitState{}, fmt.Errorf("ask the container's systemd for %s: %s", unit, printable.Text(err.Error()))
	}
	// The container may answer what it likes; a terminal shows it.
	text := func(name string) string { s, _ := properties[name].(string); return printable.Text(s) }
	s := unitState{
		load: text("LoadState"), active: text("ActiveState"), sub: text("SubState"),
		result: text("Result"), kind: text("Type"),
	}
	s.restarts, _ = properties["NRestarts"].(uint32)
	s.canReload, _ = properties["CanReload"].(bool)
	met, _ := properties["ConditionResult"].(bool)
	checked, _ := properties["ConditionTimestampMonotonic"].(uint64)
	s.skipped = checked > 0 && !met
	started, _ := properties["ExecMainStartTimestampMonotonic"].(uint64)
	s.ran = started > 0
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return unitState{}, fmt.Errorf("read the clock: %w", err)
	}
	since, _ := properties["ActiveEnterTimestampMonotonic"].(uint64)
	s.activeFor = time.Duration(now.Nano()) - time.Duration(since)*time.Microsecond
	return s, nil
}

// verdict tells whether the unit is up, or why it never will be.
func (s unitState) verdict() (up bool, reason string) {
	switch {
	case s.load != "loaded":
		return false, "is " + s.load
	case s.active == "active" && s.sub == "running" && (s.kind == "simple" || s.kind == "exec") && s.activeFor < settled:
		return false, ""
	case s.active == "active" || s.active == "reloading":
		return true, ""
	case s.active == "failed":
		return false, "failed (" + s.result + ")"
	case s.sub == "auto-restart" && s.restarts >= restartsThatFail:
		return false, fmt.Sprintf("failed and was restarted %d times (%s)", s.restarts, s.result)
	case s.active == "inactive" && s.kind == "oneshot" && s.ran && s.result == "success":
		return true, ""
	case s.active == "inactive" && s.skipped:
		return false, "was skipped, since a condition of the unit is not met"
	case s.active == "inactive" && s.ran:
		return false, "ended (" + s.result + ")"
	case s.active == "inactive":
		// The boot is over when this is asked.
		return false, "was not started, since a unit that it requires failed"
	}
	return false, ""
}
