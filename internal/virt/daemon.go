// SPDX-License-Identifier: Apache-2.0

package virt

import (
	"os"
	"path/filepath"
)

// hintLXC and hintQEMU say what to look at when libvirt cannot be reached, on the host below a root directory.
func hintLXC(root string) string { return hintRunning(root, "virtlxcd") }

func hintQEMU(root string) string {
	return "is " + daemonOf(root, "virtqemud") + " running, and its QEMU driver installed?"
}

// hintRunning asks for a driver's own daemon, or for libvirtd where that has the driver.
func hintRunning(root, own string) string { return "is " + daemonOf(root, own) + " running?" }

// daemonOf names the daemon that a host has a driver in: the driver's own, libvirtd, which has all, or both where the
// host has both or none.
func daemonOf(root, own string) string {
	has := func(name string) bool {
		for _, dir := range []string{"usr/sbin", "usr/bin", "usr/local/sbin"} {
			if _, err := os.Stat(filepath.Join("/", root, dir, name)); err == nil {
				return true
			}
		}
		return false
	}
	switch all, one := has("libvirtd"), has(own); {
	case all && !one:
		return "libvirtd"
	case one && !all:
		return own
	}
	return "libvirtd (or " + own + ")"
}
