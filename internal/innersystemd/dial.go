// SPDX-License-Identifier: Apache-2.0

package innersystemd

import (
	"fmt"
	"net"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/enter"
	"github.com/virt-sandbox/virt-sandbox/internal/namespace"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
)

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

// answeredInside reports whether the other end of a connection is a process of the container.
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
