// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/console"
	"github.com/virt-sandbox/virt-sandbox/internal/wellformed"
)

// Machine is what virt-sandbox-init makes of the devices of a virtual machine, in which there is no other system.
type Machine struct {
	Port    string          `json:"port"`              // name of the virtio-serial port to the caller
	RootTag string          `json:"root_tag"`          // of the 9p share that is the root, which stays read-only
	Overlay bool            `json:"overlay,omitempty"` // the root lacks directories for mounts: they are made in memory
	Mounts  []MachineMount  `json:"mounts,omitempty"`  // in the order in which they are made
	Disks   []MachineDisk   `json:"disks,omitempty"`
	Network *MachineNetwork `json:"network,omitempty"` // beside loopback; nil for none
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

// RunMachine is all that PID 1 of a virtual machine does: it makes the machine of the plan, runs the command for who
// calls it, and switches off. What goes wrong before the caller can be told is said on the kernel's console.
func RunMachine() {
	if err := runMachine(); err != nil {
		fmt.Fprintf(os.Stderr, "virt-sandbox-init: %v\n", err)
	}
	powerOff()
}

func runMachine() error {
	if err := mountKernel(); err != nil {
		return err
	}
	p, err := ReadPlan(PlanFile)
	if err != nil {
		return err
	}
	if p.Machine == nil {
		return errors.New("the plan is not for a virtual machine")
	}
	if err := loadModules(ModulesAtStart); err != nil {
		return err
	}
	port, err := openPort(p.Machine.Port)
	if err != nil {
		return err
	}
	session, err := console.Serve(port)
	if err != nil {
		return err
	}
	if err := p.Machine.make(wellformed.Hostname(p.Name)); err != nil {
		_, err = fail(session, err)
		return err
	}
	_, err = serve(p, session)
	return err
}

func (m *Machine) make(name string) error {
	if err := m.mountRoot(); err != nil {
		return err
	}
	for _, d := range m.Disks {
		if err := d.link(); err != nil {
			return err
		}
	}
	for _, mount := range m.Mounts {
		if err := mount.mount(); err != nil {
			return fmt.Errorf("mount %s: %w", mount.Target, err)
		}
	}
	if m.Overlay {
		// What was made are the places of mounts, nothing for the command to write to.
		if err := makeReadOnly("/"); err != nil {
			return fmt.Errorf("make the root read-only: %w", err)
		}
	}
	if err := unix.Sethostname([]byte(name)); err != nil {
		return fmt.Errorf("set hostname: %w", err)
	}
	if err := raiseLoopback(); err != nil || m.Network == nil {
		return err
	}
	return m.setNetwork(name)
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

func powerOff() {
	unix.Sync()
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		fmt.Fprintf(os.Stderr, "virt-sandbox-init: switch off: %v\n", err)
	}
	// The kernel would panic if its first process ended.
	time.Sleep(time.Hour)
}

// raiseLoopback makes 127.0.0.1 and ::1 answer.
func raiseLoopback() error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("raise loopback: %w", err)
	}
	defer unix.Close(socket)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return fmt.Errorf("raise loopback: %w", err)
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, request); err != nil {
		return fmt.Errorf("raise loopback: %w", err)
	}
	return nil
}
