// SPDX-License-Identifier: Apache-2.0

package places

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/account"
	"github.com/virt-sandbox/virt-sandbox/internal/health"
	"github.com/virt-sandbox/virt-sandbox/internal/hostetc"
	"github.com/virt-sandbox/virt-sandbox/internal/monitor"
	"github.com/virt-sandbox/virt-sandbox/internal/seclabel"
)

// RunDir is the directory of one running container. Its subdirectory Guest is what the container sees as /run/host.
//
// Beside the state it has the config as the container was started with it, a file that the monitor locks, and what the
// monitor keeps of the network.
type RunDir struct {
	path, base string
	root       Root
}

// Name is the name of the sandbox.
func (d RunDir) Name() string { return filepath.Base(d.path) }

// Path is the directory itself.
func (d RunDir) Path() string { return d.path }

// Guest is what the container sees as /run/host.
func (d RunDir) Guest() string { return filepath.Join(d.path, "guest") }

// Notify is the socket that the container's systemd reports to.
func (d RunDir) Notify() string { return filepath.Join(d.Guest(), "notify") }

// Make makes the directory anew, with an empty file of the name given, which init is mounted over.
func (d RunDir) Make(initName string) error {
	if err := os.RemoveAll(d.path); err != nil {
		return fmt.Errorf("remove runtime directory: %w", err)
	}
	// Root of a container with ids of its own passes through, to its subdirectory.
	err := InRunBase(func() error {
		if err := os.MkdirAll(d.path, 0o711); err != nil {
			return err
		}
		return errors.Join(os.Chmod(d.root.RunBase(), 0o711), os.Chmod(d.base, 0o711), os.Chmod(d.path, 0o711))
	})
	if err != nil {
		return fmt.Errorf("make runtime directory: %w", err)
	}
	// What is put into it has its label too.
	shown := seclabel.Labels{Files: seclabel.Shown}
	if err := seclabel.WithCreateLabel(shown, func() error { return os.Mkdir(d.Guest(), 0o755) }); err != nil {
		return fmt.Errorf("make runtime directory: %w", err)
	}
	if err := os.WriteFile(filepath.Join(d.Guest(), initName), nil, 0o755); err != nil {
		return fmt.Errorf("make runtime directory: %w", err)
	}
	return nil
}

// MakePoint makes a directory of Guest to mount on.
func (d RunDir) MakePoint(name string) error {
	if err := os.MkdirAll(filepath.Join(d.Guest(), name), 0o755); err != nil {
		return fmt.Errorf("make runtime directory: %w", err)
	}
	return nil
}

// MarkHostReady makes the file of the name given in Guest, which tells init that the container's bounds are set and its
// console is read.
func (d RunDir) MarkHostReady(name string) error {
	if err := os.WriteFile(filepath.Join(d.Guest(), name), nil, 0o644); err != nil {
		return fmt.Errorf("tell the container that it may go on: %w", err)
	}
	return nil
}

// Remove removes the directory, and those above it where no other container has one.
func (d RunDir) Remove() error {
	if err := os.RemoveAll(d.path); err != nil {
		return fmt.Errorf("remove runtime directory: %w", err)
	}
	if os.Remove(d.base) == nil && d.base != d.root.RunBase() {
		d.root.LeaveRunBase()
	}
	return nil
}

// Record keeps the config as the container was started with it: a stop must not depend on what becomes of the file.
func (d RunDir) Record(s *config.Sandbox) error {
	if err := (config.Store{Dir: d.path, IsRecord: true}).Save(s); err != nil {
		return fmt.Errorf("record config: %w", err)
	}
	return nil
}

// etcFile has the name of the generation of the host's /etc that the container sees.
const etcFile = "etc"

// NoteEtc records which generation of the host's /etc the container sees, so that it stays.
func (d RunDir) NoteEtc(generation string) error {
	if err := os.WriteFile(filepath.Join(d.path, etcFile), []byte(generation), 0o600); err != nil {
		return fmt.Errorf("record what the container sees of /etc: %w", err)
	}
	return nil
}

// Etc returns what NoteEtc recorded; "" for a container that sees none.
func (d RunDir) Etc() (string, error) {
	name, err := os.ReadFile(filepath.Join(d.path, etcFile))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return "", nil
	}
	return string(name), err
}

// EtcIsOld reports whether the container sees the host's /etc as it was, and not as it is.
func (d RunDir) EtcIsOld() bool {
	generation, err := d.Etc()
	if generation == "" || err != nil {
		return false
	}
	current, err := (&hostetc.Store{Root: string(d.root)}).Current()
	return err == nil && current != generation
}

// EtcInUse lists the generations of the host's /etc that sandboxes see, be they up or not ended yet.
func (r Root) EtcInUse() ([]string, error) {
	var used []string
	for _, base := range []string{r.RunBase(), r.OneShotBase(), r.MachineBase()} {
		entries, err := os.ReadDir(base)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("look at what containers see of /etc: %w", err)
		}
		for _, e := range entries {
			name, err := (RunDir{path: filepath.Join(base, e.Name()), base: base, root: r}).Etc()
			if err != nil {
				return nil, fmt.Errorf("look at what containers see of /etc: %w", err)
			}
			used = append(used, name)
		}
	}
	return used, nil
}

// NoteDegraded records that not all inside is as it should be, as the monitor does: list asks inside then.
func (d RunDir) NoteDegraded() error {
	if err := os.WriteFile(filepath.Join(d.path, monitor.Degraded), nil, 0o600); err != nil {
		return fmt.Errorf("record the state inside: %w", err)
	}
	return account.Share(filepath.Join(d.path, monitor.Degraded))
}

// IsDegraded reports whether NoteDegraded was called, or the monitor has heard of a failure inside.
func (d RunDir) IsDegraded() bool {
	_, err := os.Lstat(filepath.Join(d.path, monitor.Degraded))
	return err == nil
}

// Health returns what the monitor has heard of the health of a sandbox; "" for nothing.
func (d RunDir) Health() string {
	verdict, err := os.ReadFile(filepath.Join(d.path, monitor.Health))
	if err != nil || !health.IsVerdict(string(verdict)) {
		return ""
	}
	return string(verdict)
}

// FailedUnit returns the unit whose failure the monitor has ended the container for; "" for none.
func (d RunDir) FailedUnit() string {
	name, err := os.ReadFile(filepath.Join(d.path, monitor.Failed))
	if err != nil || config.CheckUnit(string(name)) != nil {
		return ""
	}
	return string(name)
}

// Recorded returns what Record kept. Errors: config.ErrNotFound.
func (d RunDir) Recorded() (*config.Sandbox, error) {
	return (config.Store{Dir: d.path, IsRecord: true}).Load(d.Name())
}

// SocketOwner is whom a socket for the container belongs to: root of its user namespace, and its labels.
type SocketOwner struct {
	UID    int
	Labels seclabel.Labels
}

// OwnerOf returns whom a socket for the container of a sandbox belongs to.
func OwnerOf(s *config.Sandbox) SocketOwner {
	owner := SocketOwner{UID: int(s.Hardening.IDMap.Base)}
	if s.FileLabel() != "" {
		owner.Labels = seclabel.Labels{Files: s.WritableLabel(), Sockets: s.ProcessLabel()}
	}
	return owner
}

// ListenNotify makes the socket that the container's systemd reports to.
func (d RunDir) ListenNotify(owner SocketOwner) (socket *net.UnixConn, err error) {
	err = d.listenLabelled(owner, d.Notify(), func() (err error) {
		socket, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: d.Notify(), Net: "unixgram"})
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

// ListenConsole makes the socket of a name in Guest on which init looks for its caller.
func (d RunDir) ListenConsole(owner SocketOwner, name string) (listener *net.UnixListener, err error) {
	file := filepath.Join(d.Guest(), name)
	err = d.listenLabelled(owner, file, func() (err error) {
		listener, err = net.ListenUnix("unix", &net.UnixAddr{Name: file, Net: "unix"})
		return err
	})
	if err != nil {
		if listener != nil {
			listener.Close()
		}
		return nil, fmt.Errorf("listen for the container: %w", err)
	}
	return listener, nil
}

// listenLabelled makes a socket for the container's root. It has the container's label, as if one of its own processes
// listened: no policy lets a container write to sockets of the host.
func (d RunDir) listenLabelled(owner SocketOwner, file string, listen func() error) error {
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := seclabel.WithCreateLabel(owner.Labels, listen); err != nil {
		return err
	}
	if owner.UID == 0 && d.root != "" {
		return os.Chmod(file, 0o600) // whoever runs this is root of such a host
	}
	return errors.Join(os.Chmod(file, 0o600), os.Chown(file, owner.UID, owner.UID))
}

// LockMonitor takes the lock that the monitor of a container holds as long as it lives; it returns nil when one lives.
func (d RunDir) LockMonitor() (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(d.path, "monitor"), os.O_RDWR|os.O_CREATE, 0o600)
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

// MonitorStays is HasMonitor for whoever would take its place: one that was killed may be about to end.
func MonitorStays(d RunDir) (bool, error) {
	for range 40 {
		if has, err := d.HasMonitor(); !has || err != nil {
			return false, err
		}
		time.Sleep(5 * time.Millisecond)
	}
	return true, nil
}

// HasMonitor reports whether a monitor of the container lives.
func (d RunDir) HasMonitor() (bool, error) {
	lock, err := d.LockMonitor()
	if lock != nil {
		lock.Close()
	}
	return lock == nil && err == nil, err
}
