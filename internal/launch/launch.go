// SPDX-License-Identifier: Apache-2.0

// Package launch runs the helper in the background where no systemd does, and listens for readiness. In: a sandbox's
// name, sockets of sd_notify(3). Out: a container that is up, or what the helper said. The verb start and the helper
// itself call it.
package launch

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"

	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
	"github.com/virt-sandbox/virt-sandbox/internal/programs"
	"golang.org/x/sys/unix"
)

// Run runs the helper program in the background until it reports that the container is ready, for hosts whose
// systemd does not run. What the helper says goes to stderr; its exit status is err's.
func Run(ctx context.Context, uri, name string, stderr io.Writer) error {
	program, err := programs.Find("virt-sandbox-service-helper")
	if err != nil {
		return err
	}
	host := places.Root("")
	dir := host.Of(name).Launch(os.Getpid())
	if err := places.InRunBase(func() error { return os.MkdirAll(dir, 0o700) }); err != nil {
		return fmt.Errorf("start helper: %w", err)
	}
	defer func() {
		os.RemoveAll(dir)
		host.LeaveRunBase()
	}()
	address := &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"}
	socket, err := net.ListenUnixgram("unixgram", address)
	if err != nil {
		return fmt.Errorf("start helper: %w", err)
	}
	defer socket.Close()

	// The kernel sends the death signal when the thread that started the process ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	process := exec.Command(program, "-c", uri, "run", name)
	process.Env = append(os.Environ(), "NOTIFY_SOCKET="+address.Name)
	process.Stderr = stderr
	process.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: unix.SIGTERM}
	if err := process.Start(); err != nil {
		return fmt.Errorf("start helper: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- process.Wait() }()
	ready := make(chan struct{})
	listening, stop := context.WithCancel(ctx)
	defer stop()
	go ListenReady(listening, socket, ready)
	select {
	case err := <-ended:
		return err
	case <-ready:
		return nil
	case <-ctx.Done():
		_ = process.Process.Signal(unix.SIGTERM)
		<-ended
		return ctx.Err()
	}
}

// RemoveLeft removes what launchers left that were killed.
func RemoveLeft(at places.Sandbox) error {
	dirs, err := at.Launches()
	if err != nil {
		return fmt.Errorf("look for interrupted starts: %w", err)
	}
	for text, dir := range dirs {
		if pid, err := strconv.Atoi(text); err == nil && proc.Host.Exists(pid) {
			continue
		}
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("remove what an interrupted start left: %w", err)
		}
	}
	places.Root("").LeaveRunBase()
	return nil
}

// Detach makes a helper independent of who launched it, once the container is ready.
func Detach(console *os.File) error {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("detach from the launcher: %w", err)
	}
	for _, fd := range []int{1, 2} {
		if err := unix.Dup2(int(console.Fd()), fd); err != nil {
			return fmt.Errorf("detach from the launcher: %w", err)
		}
	}
	return nil
}
