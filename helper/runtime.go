package helper

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/guest"
	"github.com/virt-sandbox/virt-sandbox/internal/seclabel"
)

// phase is how far a running container is, as its runtime directory records it.
type phase string

const (
	phaseStarting phase = "starting"
	phaseReady    phase = "ready"
	phaseStopping phase = "stopping"
)

// runtimeDir is the directory of one running container below RuntimeBase. Its subdirectory guest is what the container
// sees as /run/host.
type runtimeDir string

func runtimeOf(name string) runtimeDir { return runtimeDir(filepath.Join(RuntimeBase, name)) }

func (d runtimeDir) guest() string  { return filepath.Join(string(d), "guest") }
func (d runtimeDir) notify() string { return filepath.Join(d.guest(), "notify") }

// make creates the directory anew, with the empty file that virt-sandbox-init is mounted over.
func (d runtimeDir) make() error {
	if err := os.RemoveAll(string(d)); err != nil {
		return fmt.Errorf("remove runtime directory: %w", err)
	}
	// Root of a container with ids of its own passes through, to its subdirectory.
	err := inBase(func() error {
		return errors.Join(os.MkdirAll(RuntimeBase, 0o711), os.Chmod(RuntimeBase, 0o711), os.MkdirAll(string(d), 0o711), os.Chmod(string(d), 0o711))
	})
	if err != nil {
		return fmt.Errorf("make runtime directory: %w", err)
	}
	// What is put into it has its label too.
	shown := seclabel.Labels{Files: "system_u:object_r:container_ro_file_t:s0"}
	if err := seclabel.Born(shown, func() error { return os.Mkdir(d.guest(), 0o755) }); err != nil {
		return fmt.Errorf("make runtime directory: %w", err)
	}
	if err := os.WriteFile(filepath.Join(d.guest(), guest.Program), nil, 0o755); err != nil {
		return fmt.Errorf("make runtime directory: %w", err)
	}
	return nil
}

// inBase has make put something into RuntimeBase, which whoever ends the last container removes: of many that start and stop
// at once, one can take it away from under another.
func inBase(make func() error) error {
	var err error
	for range 100 {
		if err = make(); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return err
}

// copyInit puts the container's first program into the directory itself.
func (d runtimeDir) copyInit(program string) error {
	data, err := os.ReadFile(program)
	if err != nil {
		return fmt.Errorf("copy virt-sandbox-init: %w", err)
	}
	if err := os.WriteFile(filepath.Join(d.guest(), guest.Program), data, 0o755); err != nil {
		return fmt.Errorf("copy virt-sandbox-init: %w", err)
	}
	return nil
}

func (d runtimeDir) remove() error {
	if err := os.RemoveAll(string(d)); err != nil {
		return fmt.Errorf("remove runtime directory: %w", err)
	}
	// Gone with the last container; another that is being started keeps it.
	_ = os.Remove(RuntimeBase)
	return nil
}

// record keeps the config as the container was started with it: a stop must not depend on what becomes of the file.
func (d runtimeDir) record(s *config.Sandbox) error {
	if err := (config.Store{Dir: string(d)}).Save(s); err != nil {
		return fmt.Errorf("record config: %w", err)
	}
	return nil
}

// noteHostReady tells the container's first program that its bounds are set and its console is read.
func (d runtimeDir) noteHostReady() error {
	if err := os.WriteFile(filepath.Join(d.guest(), filepath.Base(guest.HostReadyFile)), nil, 0o644); err != nil {
		return fmt.Errorf("tell the container that it may go on: %w", err)
	}
	return nil
}

// own notes which run of a unit the container belongs to (systemd.exec(5), INVOCATION_ID); none where no unit runs it.
func (d runtimeDir) own() error {
	if err := os.WriteFile(filepath.Join(string(d), "owner"), []byte(os.Getenv("INVOCATION_ID")), 0o600); err != nil {
		return fmt.Errorf("record owner: %w", err)
	}
	return nil
}

// isOthers tells whether the container belongs to another run of a unit than this process does.
func (d runtimeDir) isOthers() bool {
	owner, err := os.ReadFile(filepath.Join(string(d), "owner"))
	return err == nil && len(owner) > 0 && string(owner) != os.Getenv("INVOCATION_ID")
}

// asStarted gives the config that a running container was started with, and that of the store for one that is down.
func (m *Manager) asStarted(name string) (*config.Sandbox, error) {
	s, err := (config.Store{Dir: string(runtimeOf(name))}).Load(name)
	if err == nil {
		return s, nil
	}
	return m.Store.Load(name)
}

func (d runtimeDir) setPhase(p phase) error {
	if err := os.WriteFile(filepath.Join(string(d), "phase"), []byte(p), 0o600); err != nil {
		return fmt.Errorf("record phase: %w", err)
	}
	return nil
}

// noteStopping sets the phase of a container that has one: where nothing is left to stop, nothing is noted.
func (d runtimeDir) noteStopping() error {
	if d.phase() == "" {
		return nil
	}
	return d.setPhase(phaseStopping)
}

func (d runtimeDir) phase() phase {
	data, err := os.ReadFile(filepath.Join(string(d), "phase"))
	if err != nil {
		return ""
	}
	return phase(data)
}

// listen makes the socket that the container's systemd reports to.
func (d runtimeDir) listen(s *config.Sandbox) (socket *net.UnixConn, err error) {
	err = d.bear(s, d.notify(), func() (err error) {
		socket, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: d.notify(), Net: "unixgram"})
		return err
	})
	if err != nil {
		if socket != nil {
			socket.Close()
		}
		return nil, fmt.Errorf("listen for readiness: %w", err)
	}
	return socket, nil
}

// bear makes a socket for the container's root. It has the container's label, as if one of its own processes listened: no
// policy lets a container write to sockets of the host.
func (d runtimeDir) bear(s *config.Sandbox, file string, listen func() error) error {
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var labels seclabel.Labels
	if s.FileLabel() != "" {
		labels = seclabel.Labels{Files: writableLabel(s), Sockets: s.ProcessLabel()}
	}
	if err := seclabel.Born(labels, listen); err != nil {
		return err
	}
	root := int(s.Hardening.IDMap.Base)
	return errors.Join(os.Chmod(file, 0o600), os.Chown(file, root, root))
}

// IsUnwatched tells whether a container is up whose monitor was lost.
func (m *Manager) IsUnwatched(name string) bool {
	d := runtimeOf(name)
	if d.phase() != phaseReady {
		return false
	}
	watched, err := d.isWatched()
	return err == nil && !watched
}

// isWatched tells whether a monitor of the container lives.
func (d runtimeDir) isWatched() (bool, error) {
	lock, err := d.lockMonitor()
	if lock != nil {
		lock.Close()
	}
	return lock == nil && err == nil, err
}

// lockMonitor takes the lock that the monitor of a container holds as long as it lives; nil when one lives.
func (d runtimeDir) lockMonitor() (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(string(d), "monitor"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock monitor: %w", err)
	}
	// A lock of the open file, which an executed program inherits with the descriptor.
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		file.Close()
		return nil, nil
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("lock monitor: %w", err)
	}
	return file, nil
}
