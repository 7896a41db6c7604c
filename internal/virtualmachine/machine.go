// SPDX-License-Identifier: Apache-2.0

// Package virtualmachine is the first process of a virtual machine, in which there is no other system: it mounts the
// root, finds devices, loads modules and sets the network up, as the plan says. In: the plan and the initrd's modules;
// out: a machine in which package guest runs the command.
package virtualmachine

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/console"
	"github.com/virt-sandbox/virt-sandbox/internal/guest"
	"github.com/virt-sandbox/virt-sandbox/internal/wellformed"
)

// Run is all that PID 1 of a virtual machine does: it makes the machine of the plan, runs the command for who
// calls it, and switches off. What goes wrong before the caller can be told is said on the kernel's console.
func Run() {
	if err := run(); err != nil {
		fmt.Fprintf(os.Stderr, "virt-sandbox-init: %v\n", err)
	}
	powerOff()
}

func run() error {
	if err := mountKernel(); err != nil {
		return err
	}
	p, err := guest.ReadPlan(guest.PlanFile)
	if err != nil {
		return err
	}
	if p.Machine == nil {
		return errors.New("the plan is not for a virtual machine")
	}
	if err := loadModules(guest.ModulesAtStart); err != nil {
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
	if err := set(p.Machine, wellformed.Hostname(p.Name)); err != nil {
		_, err = guest.Fail(session, err)
		return err
	}
	_, err = guest.Serve(p, session)
	return err
}

func set(m *guest.Machine, name string) error {
	if err := mountRoot(m); err != nil {
		return err
	}
	for _, d := range m.Disks {
		if err := linkDisk(d); err != nil {
			return err
		}
	}
	for _, mount := range m.Mounts {
		if err := mountInside(mount); err != nil {
			return fmt.Errorf("mount %s: %w", mount.Target, err)
		}
	}
	if isMade(m) {
		// What was made are the places of mounts, nothing for the command to write to.
		if err := guest.MakeReadOnly("/"); err != nil {
			return fmt.Errorf("make the root read-only: %w", err)
		}
	}
	if err := unix.Sethostname([]byte(name)); err != nil {
		return fmt.Errorf("set hostname: %w", err)
	}
	if err := raiseLoopback(); err != nil || m.Network == nil {
		return err
	}
	return setNetwork(m.Network, name)
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
