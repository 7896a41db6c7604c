// SPDX-License-Identifier: Apache-2.0

// Package usernamespace makes user namespaces in which nothing runs: a mount shows files to others under the ids of one
// (mount_setattr(2), MOUNT_ATTR_IDMAP). In: ranges of ids; out: a descriptor of the namespace.
package usernamespace

// #include "holder.h"
import "C"

import (
	"fmt"
	"os"
	"runtime"

	"github.com/virt-sandbox/virt-sandbox/internal/proc"
)

// Range gives ids of the namespace, from Inside on, those of the host from Outside on.
type Range struct{ Inside, Outside, Count uint32 }

// Make makes a namespace with a range of user ids, and the same of group ids. It lives as long as something uses it, at
// least the descriptor. It needs CAP_SETUID and CAP_SETGID (user_namespaces(7)).
func Make(ids Range) (*os.File, error) {
	// The holder ends with the thread that began it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	holder, err := C.begin_holder()
	if holder == nil {
		return nil, fmt.Errorf("clone: %w", err)
	}
	defer C.end_holder(holder)
	pid := int(holder.pid)
	if err := proc.Host.SetIDs(pid, ids.Inside, ids.Outside, ids.Count); err != nil {
		return nil, err
	}
	return os.Open(proc.Host.Namespace(pid, "user"))
}
