// SPDX-License-Identifier: Apache-2.0

package enter

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/proc"
)

// Namespaces by their names for nsenter(1).
const (
	userNamespace  = "user"
	mountNamespace = "mount"
	pidNamespace   = "pid"
)

// joined are the namespaces that nsenter joins.
func joined() []string { return []string{userNamespace, "ipc", "uts", "net", "cgroup"} }

func namespaceFile(pid int, name string) string {
	if name == mountNamespace {
		name = "mnt"
	}
	return proc.Host.Namespace(pid, name)
}

// opened is what a container is entered by.
type opened struct {
	namespaces map[string]*os.File // by name; no user namespace where that is the host's
	program    *os.File
}

func (o *opened) close() {
	for _, f := range o.namespaces {
		f.Close()
	}
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
	if o.program, err = os.Open(target.Program); err != nil {
		return nil, err
	}
	for _, name := range append(joined(), mountNamespace, pidNamespace) {
		if o.namespaces[name], err = os.Open(namespaceFile(target.Process.PID, name)); err != nil {
			delete(o.namespaces, name)
			return nil, fmt.Errorf("%w: %w", ErrEnded, err)
		}
	}
	if err := target.Process.check(); err != nil {
		return nil, err
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
