// SPDX-License-Identifier: Apache-2.0

package enter

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/cgroup"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
)

const userNamespace = "user"

// joined are the namespaces that virt-sandbox-init joins, in this order. That of mounts has another /proc.
func joined() []string { return []string{"ipc", "uts", "net", "cgroup", "pid", "mnt"} }

// opened is what a container is entered by.
type opened struct {
	namespaces map[string]*os.File // by name; no user namespace where that is the host's
	groups     cgroup.Entrance
	program    *os.File // in sealed memory
}

func (o *opened) close() {
	for _, f := range o.namespaces {
		f.Close()
	}
	o.groups.Close()
	if o.program != nil {
		o.program.Close()
	}
}

// open opens the namespaces of a container's first process. Errors: ErrEnded, ErrMoved.
func open(target Target) (_ *opened, err error) {
	o := &opened{namespaces: make(map[string]*os.File)}
	defer func() {
		if err != nil {
			o.close()
		}
	}()
	if o.program, err = sealed(target.Program); err != nil {
		return nil, err
	}
	for _, name := range append(joined(), userNamespace) {
		if o.namespaces[name], err = os.Open(proc.Host.Namespace(target.Process.PID, name)); err != nil {
			delete(o.namespaces, name)
			return nil, fmt.Errorf("%w: %w", ErrEnded, err)
		}
	}
	groups, err := cgroup.Host().Of(target.Process.PID)
	if err != nil {
		return nil, fmt.Errorf("find the container's cgroups: %w", err)
	}
	if err := target.Process.check(); err != nil {
		return nil, err
	}
	if o.groups, err = groups.Entrance(target.Name); err != nil {
		return nil, fmt.Errorf("open the container's cgroups: %w", err)
	}
	var stat unix.Stat_t
	if err := unix.Fstat(int(o.namespaces[userNamespace].Fd()), &stat); err != nil {
		return nil, err
	}
	if stat.Ino != target.Process.UserNamespace {
		return nil, ErrMoved
	}
	if target.Root == 0 {
		// The caller is in it.
		o.namespaces[userNamespace].Close()
		delete(o.namespaces, userNamespace)
	}
	return o, nil
}
