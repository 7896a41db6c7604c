// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/lxcfs"
	"github.com/virt-sandbox/virt-sandbox/internal/wellformed"
)

// Run makes the container of a plan and becomes its payload: it returns with an error, or with the exit status of a
// command; systemd takes its place.
func Run(p *Plan) (status int, err error) {
	// Namespaces are left and entered by threads; the one that does so must be the one that executes the payload.
	runtime.LockOSThread()
	if p.Console {
		return runAttached(p)
	}
	if err := awaitHost(); err != nil {
		return 0, err
	}
	if err := setUp(p); err != nil {
		return 0, err
	}
	if p.Label+p.Profile != "" && len(p.Command) > 0 {
		return 0, unix.Exec("/proc/self/exe", []string{Program, PayloadWord}, os.Environ())
	}
	if len(p.Command) > 0 {
		return RunCommand(p)
	}
	return 0, bootSystemd(p)
}

// warn says a line on the console.
func warn(format string, args ...any) { fmt.Fprintf(os.Stderr, Program+": "+format+"\n", args...) }

// setUp makes the container of a plan, up to what the next program is executed under.
func setUp(p *Plan) error {
	if err := unix.Sethostname([]byte(wellformed.Hostname(p.Name))); err != nil {
		return fmt.Errorf("set hostname: %w", err)
	}
	if err := lxcfs.Cover(p.Proc, warn); err != nil {
		return err
	}
	if p.ReadOnly {
		if err := protectKernel(); err != nil {
			return err
		}
	}
	if p.Hide {
		if err := hideKernel(p.Mapped); err != nil {
			return err
		}
	}
	if err := ShowResolv(ResolvFile); err != nil {
		return err
	}
	if p.Console {
		if err := hideCgroups(); err != nil {
			return err
		}
	} else if err := enterCgroups(p.Name, p.Mapped); err != nil {
		return err
	}
	if len(p.Command) == 0 {
		if err := errors.Join(muteGenerators(), mountLockDir()); err != nil {
			return err
		}
	}
	if err := LinkDisks(p.Disks); err != nil {
		return err
	}
	if err := errors.Join(shareMounts(p), leaveRoom(), leaveKeyring()); err != nil {
		return err
	}
	// Needs CAP_SYS_ADMIN, and leaves nothing that is needed below.
	if err := filterSystemCalls(p.SystemCalls, unix.SECCOMP_FILTER_FLAG_TSYNC); err != nil {
		return err
	}
	if err := dropCapabilities(p.Drop); err != nil {
		return err
	}
	return confineNext(p.Label, p.Profile)
}

// PayloadWord as the only argument of virt-sandbox-init has it go on from where the container is made, by RunCommand.
const PayloadWord = "payload"

// GeneratorDir is where a container has the generators that its systemd runs (systemd.generator(7)).
const GeneratorDir = "/etc/systemd/system/virt-sandbox.generators"

func bootSystemd(p *Plan) error {
	environment := append([]string{
		"PATH=" + defaultPath, "container=lxc-libvirt", "container_uuid=" + p.UUID,
		"NOTIFY_SOCKET=" + os.Getenv("NOTIFY_SOCKET"),
		// Of the host's generators none runs but those that the container has been given.
		"SYSTEMD_GENERATOR_PATH=" + GeneratorDir, "SYSTEMD_ENVIRONMENT_GENERATOR_PATH=",
	}, p.Environment...)
	if err := errors.Join(showEnvironment("/run", p.Environment), showUnits("/run", p.RuntimeUnits)); err != nil {
		return err
	}
	for _, systemd := range []string{"/usr/lib/systemd/systemd", "/lib/systemd/systemd"} {
		err := unix.Exec(systemd, []string{"systemd", "--unit=" + p.BootTarget, "--show-status=no"}, environment)
		if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("execute %s: %w", systemd, err)
		}
	}
	return errors.New("execute systemd: it is not installed in /usr/lib/systemd or /lib/systemd")
}

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// RunCommand runs a plan's command as its user and stays the first process: it hands signals on, reaps orphans and
// returns the command's exit status, 128 and the signal's number where one killed it, 127 and 126 as shells do.
func RunCommand(p *Plan) (int, error) {
	os.Setenv("PATH", defaultPath)
	file, err := exec.LookPath(p.Command[0])
	if err != nil {
		status := 127
		if errors.Is(err, fs.ErrPermission) {
			status = 126
		}
		fmt.Fprintf(os.Stderr, "virt-sandbox-init: %s: %v\n", p.Command[0], errors.Unwrap(err))
		notify("EXIT_STATUS=" + strconv.Itoa(status))
		time.Sleep(consoleDrainTimeout)
		return status, nil
	}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals)
	command := exec.Cmd{
		Path: file, Args: p.Command, Dir: p.Directory,
		Env:    append([]string{"PATH=" + defaultPath, "container=lxc-libvirt"}, p.Environment...),
		Stdout: os.Stdout, Stderr: os.Stderr,
		SysProcAttr: &syscall.SysProcAttr{
			Setsid:     true,
			Credential: &syscall.Credential{Uid: p.UID, Gid: p.GID, Groups: p.Groups},
		},
	}
	if err := command.Start(); err != nil {
		return 0, fmt.Errorf("execute %s: %w", file, err)
	}
	notify("READY=1")
	go func() {
		for s := range signals {
			if number, ok := s.(syscall.Signal); ok && number != unix.SIGCHLD && number != unix.SIGURG {
				_ = command.Process.Signal(number)
			}
		}
	}()
	status, err := reap(command.Process.Pid)
	if err != nil {
		return 0, err
	}
	notify("EXIT_STATUS=" + strconv.Itoa(status))
	// What it said last is on its way through libvirt's controller, which ends with this process.
	time.Sleep(consoleDrainTimeout)
	return status, nil
}

// HostReadyFile appears when the host's side has set the container's bounds and reads its console, so that nobody gets
// past the former and no first words are lost.
const HostReadyFile = "/run/host/ready"

// Time limits of what the container and the host's side owe each other.
const (
	hostLimit           = time.Minute
	consoleDrainTimeout = 300 * time.Millisecond
)

// awaitHost waits until the host's side is ready. Where that was killed, whoever comes next asks for an end as of a
// systemd or of a command.
func awaitHost() error {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, unix.SIGTERM, PowerOffSignal)
	defer signal.Stop(asked)
	for begun := time.Now(); time.Since(begun) < hostLimit; {
		if _, err := os.Lstat(HostReadyFile); err == nil {
			return nil
		}
		select {
		case <-asked:
			return errors.New("wait for the host's side: the end was asked for first")
		case <-time.After(2 * time.Millisecond):
		}
	}
	return errors.New("timed out waiting for the helper on the host")
}

// PowerOffSignal asks systemd as first process for an orderly end: SIGRTMIN+4 (systemd(1)).
const PowerOffSignal = syscall.Signal(34 + 4)

// ShutdownSignal is what asks the first process of a container for an orderly end: systemd, or the command of a generic
// one.
func ShutdownSignal(generic bool) syscall.Signal {
	if generic {
		return unix.SIGTERM
	}
	return PowerOffSignal
}

// reap waits for children of all kinds until the one of interest ends.
func reap(pid int) (int, error) {
	for {
		var status unix.WaitStatus
		child, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 0, fmt.Errorf("wait for the command: %w", err)
		case child == pid && status.Signaled():
			return 128 + int(status.Signal()), nil
		case child == pid:
			return status.ExitStatus(), nil
		}
	}
}

// Messages that a container's systemd has sent when it shuts down in order, by units of its content. Where none came,
// the container broke down.
const (
	TellStopping  = "stopping"
	TellRebooting = "rebooting"
)

// NotifySocket is where a container reports to its manager.
const NotifySocket = "/run/host/notify"

// NotifyShutdown reports a shutdown to the host's side. It is no error that nobody listens: a start that failed ends
// the container too. Errors: of a word that is not one of the constants.
func NotifyShutdown(word string) error {
	var message string
	switch word {
	case TellStopping:
		message = "STOPPING=1"
	case TellRebooting:
		// Whoever reads the first field alone knows already that it comes back.
		message = "X_REBOOT=1\nSTOPPING=1"
	default:
		return fmt.Errorf("%q is not %s or %s", word, TellStopping, TellRebooting)
	}
	if err := send(NotifySocket, message); err != nil && !errors.Is(err, unix.ECONNREFUSED) {
		return err
	}
	return nil
}

// notify sends a message of the sd_notify(3) protocol to the host's side. There is nobody to tell of a failure: the
// helper sees the container end.
func notify(message string) {
	if socket := os.Getenv("NOTIFY_SOCKET"); socket != "" && !strings.HasPrefix(socket, "@") {
		_ = send(socket, message)
	}
}

// Report sends a message of the sd_notify(3) protocol to the host's side.
func Report(message string) error { return send(NotifySocket, message) }

func send(socket, message string) error {
	connection, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer connection.Close()
	_, err = connection.Write([]byte(message))
	return err
}
