// SPDX-License-Identifier: Apache-2.0

package enter

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/overlay"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
)

// RefreshEtc has the /etc of a running container show what was changed in its content from outside: the kernel
// remembers what it has shown there. A nil a is a container that nothing is seen of yet. Errors: ErrEnded.
func (a *Admission) RefreshEtc() error {
	if a == nil {
		return nil
	}
	root, err := unix.Open(proc.Host.Root(a.Init.PID), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrEnded, err)
	}
	defer unix.Close(root)
	if err := a.Init.check(); err != nil {
		return err
	}
	etc, err := unix.Openat2(root, "etc", &unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return fmt.Errorf("open /etc of the container: %w", err)
	}
	defer unix.Close(etc)
	return overlay.Refresh(etc)
}
