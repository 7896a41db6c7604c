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

// unusedID is an id that no file has: distributions give out none from here on.
const unusedID = 1<<31 - 2

// containerIDs are those from 0 of a container.
func containerIDs(m config.IDMap) syscall.SysProcIDMap {
	return syscall.SysProcIDMap{ContainerID: 0, HostID: int(m.Base), Size: int(m.Count)}
}

// noIDs maps no id that a file has. An owner without a mapping is nobody inside, over whose files root has no rights
// (user_namespaces(7)).
func noIDs(m config.IDMap) syscall.SysProcIDMap {
	return syscall.SysProcIDMap{ContainerID: unusedID, HostID: int(m.Base), Size: 1}
}

// userNamespace opens a user namespace with a range of ids. It lives as long as something uses it.
func userNamespace(mapping syscall.SysProcIDMap) (*os.File, error) {
	ids := []syscall.SysProcIDMap{mapping}
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
