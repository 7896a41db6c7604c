// SPDX-License-Identifier: Apache-2.0

package enter

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/proc"
)

// openTerminal opens both ends of a new terminal of a container. Links in the way to it are resolved inside, and the
// end that the command gets is found without a path (ioctl_tty(2), TIOCGPTPEER).
func openTerminal(target Target) (inside, terminal *os.File, err error) {
	root, err := unix.Open(proc.Host.Root(target.Process.PID), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	defer unix.Close(root)
	how := unix.OpenHow{
		Flags: unix.O_RDWR | unix.O_NOCTTY | unix.O_NONBLOCK | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT |
			unix.RESOLVE_NO_MAGICLINKS,
	}
	fd, err := unix.Openat2(root, "dev/pts/ptmx", &how)
	if err != nil {
		return nil, nil, err
	}
	inside = os.NewFile(uintptr(fd), "ptmx")
	defer func() {
		if err != nil {
			inside.Close()
		}
	}()
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return nil, nil, err
	}
	peer, _, number := unix.Syscall(
		unix.SYS_IOCTL,
		uintptr(fd),
		unix.TIOCGPTPEER,
		unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC,
	)
	if number != 0 {
		return nil, nil, number
	}
	terminal = os.NewFile(peer, "terminal")
	if target.Root != 0 {
		err = terminal.Chown(int(target.Root), -1)
	}
	return inside, terminal, err
}
