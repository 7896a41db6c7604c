// SPDX-License-Identifier: Apache-2.0

package secontext

import (
	"github.com/opencontainers/selinux/go-selinux"

	"github.com/virt-sandbox/virt-sandbox/internal/proc"
)

// OfProcess returns the context of a process; "" where SELinux is off, and for one that has ended.
func OfProcess(pid int) string {
	if !selinux.GetEnabled() {
		return ""
	}
	label, err := proc.Host.Attribute(pid, "current")
	if err != nil {
		return ""
	}
	return label
}
