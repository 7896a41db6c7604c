// SPDX-License-Identifier: Apache-2.0

package roottree

import (
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
)

// userNamespace opens a user namespace with the ids of a container. It lives as long as something uses it.
func userNamespace(m config.IDMap) (*os.File, error) {
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: int(m.Base), Size: int(m.Count)}}
	// It does nothing but wait for the end of its input.
	holder := exec.Command("cat")
	holder.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids}
	input, err := holder.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := holder.Start(); err != nil {
		return nil, err
	}
	namespace, err := os.Open(proc.Host.Namespace(holder.Process.Pid, "user"))
	input.Close()
	_ = holder.Wait()
	return namespace, err
}
