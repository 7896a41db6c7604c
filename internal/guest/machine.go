// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/network"
)

// Machine is what virt-sandbox-init makes of the devices of a virtual machine, in which there is no other system.
type Machine struct {
	Port    string          `json:"port"`               // name of the virtio-serial port to the caller
	RootTag string          `json:"root_tag,omitempty"` // of the 9p share that is the root; empty for one in memory
	Overlay bool            `json:"overlay,omitempty"`  // that share lacks directories for mounts: they are made in memory
	Dirs    []string        `json:"dirs,omitempty"`     // of a root in memory, one below another after it
	Links   []MachineLink   `json:"links,omitempty"`    // in such a root
	Mounts  []MachineMount  `json:"mounts,omitempty"`   // in the order in which they are made
	Disks   []MachineDisk   `json:"disks,omitempty"`
	Network *MachineNetwork `json:"network,omitempty"` // beside loopback; nil for none
}

// MachineLink is a symbolic link.
type MachineLink struct {
	Path   string `json:"path"`
	Target string `json:"target"`
}

// MountKind is what a mount in a machine is of.
type MountKind string

// The kinds of mounts.
const (
	MountShare MountKind = "share" // a directory of the host, by the tag of its 9p share
	MountRAM   MountKind = "ram"   // memory
	MountBind  MountKind = "bind"  // another path inside
	MountImage MountKind = "image" // a disk, by its serial number
)

// MachineMount is one mount.
type MachineMount struct {
	Kind     MountKind `json:"kind"`
	Source   string    `json:"source,omitempty"`
	Target   string    `json:"target"`
	Size     uint64    `json:"size,omitempty"` // bytes, of memory
	ReadOnly bool      `json:"read_only,omitempty"`
}

// MachineDisk is a disk that is found as /dev/disk/by-tag/TAG.
type MachineDisk struct {
	Serial string `json:"serial"` // what the device says, of at most 20 characters
	Tag    string `json:"tag"`
}

// MachineNetwork is what the interfaces of a virtual machine shall have. The kernel names them in their order, from
// eth0 on.
type MachineNetwork struct {
	Interfaces []network.Interface `json:"interfaces"`
	Limit      time.Duration       `json:"limit"` // until servers must have answered
}

// tidy takes off all that is mounted and can be, so that disks are whole before anybody hears of the end.
func tidy() {
	mounts, err := readMounts()
	if err != nil {
		return
	}
	for _, m := range slices.Backward(mounts) {
		if m.Mountpoint != "/" {
			_ = unix.Unmount(m.Mountpoint, 0)
		}
	}
	unix.Sync()
}
