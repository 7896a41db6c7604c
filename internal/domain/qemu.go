// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"fmt"
	"math"
	"strconv"

	"libvirt.org/go/libvirtxml"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// PortName is the virtio-serial port between the caller and the machine.
const PortName = "org.virt-sandbox.console"

// RootTag is the share with the machine's root.
const RootTag = "root"

// Machine is a virtual machine for libvirt's QEMU driver, which boots a kernel and an initrd and has nothing else but
// what is listed here.
type Machine struct {
	Name, UUID, Title string
	Emulated          bool        // the processor is; else the kernel's KVM has it
	Kernel, Initrd    string      // files
	Arguments         string      // the kernel's
	Firmware          string      // a file in place of QEMU's own, which takes longer; empty for that
	Memory            config.Size // bytes
	CPUs              float64
	Shares            []Share
	Disks             []Disk
	Interfaces        []config.Interface
	Socket            string // Unix socket that QEMU makes, for PortName
	Log               string // Unix socket that QEMU makes, for the kernel's console
	Shell             bool   // whether there is a second serial console
	SecurityModel     string // of libvirt's capabilities: selinux, apparmor or ""
	Security          config.Security
	RunAs             *Account // whom the emulator runs as, and so reads and writes shares as; nil for libvirt's own user
}

// Share is a directory of the host that the machine mounts by a tag.
type Share struct {
	Tag, Dir string
	ReadOnly bool
	Squash   bool // a share that cannot set owners goes on without
}

// Disk is an image that the machine has as a disk.
type Disk struct {
	Serial   string // by which the machine finds it, of at most 20 characters
	File     string
	Format   string // raw, qcow2, …
	ReadOnly bool
	Labelled bool // it has its SELinux label, and libvirt gives it no other
}

// Account is a user and group by numbers.
type Account struct{ UID, GID uint32 }

// String returns it as libvirt reads it.
func (a Account) String() string { return fmt.Sprintf("+%d:+%d", a.UID, a.GID) }

// Limits of a machine: PCI slots of the root bus that no device of q35 has, and a virtio disk's serial number.
const (
	firstSlot = 2
	lastSlot  = 30
	maxSerial = 20
)

// KernelArguments are what a machine's kernel gets: what shortens its start, and an end in place of a hang where it or
// its first process fails. Debug has it say what it does.
func KernelArguments(debug bool) string {
	volume := "quiet"
	if debug {
		volume = "debug"
	}
	return "console=ttyS0 " + volume + " panic=-1 cryptomgr.notests no_timer_check edd=off selinux=0 " +
		"apparmor=0"
}

// QEMU returns the XML of a machine.
func QEMU(m *Machine) (string, error) {
	d := libvirtxml.Domain{
		Type:   "kvm",
		Name:   m.Name,
		UUID:   m.UUID,
		Title:  m.Title,
		Memory: &libvirtxml.DomainMemory{Value: uint(m.Memory / 1024), Unit: "KiB"},
		VCPU:   &libvirtxml.DomainVCPU{Value: uint(max(1, math.Ceil(m.CPUs)))},
		OS: &libvirtxml.DomainOS{
			Type:    &libvirtxml.DomainOSType{Type: "hvm", Arch: "x86_64", Machine: "q35"},
			Kernel:  m.Kernel,
			Initrd:  m.Initrd,
			Cmdline: m.Arguments,
		},
		Features:   &libvirtxml.DomainFeatureList{ACPI: &libvirtxml.DomainFeature{}, APIC: &libvirtxml.DomainFeatureAPIC{}},
		CPU:        &libvirtxml.DomainCPU{Mode: "host-passthrough"},
		OnPoweroff: "destroy",
		OnReboot:   "destroy",
		OnCrash:    "destroy",
		SecLabel:   m.securityLabels(),
	}
	if m.Emulated {
		// The emulator's time stamps are those of the host's processors, which need not agree with one another, nor go on
		// evenly where the host is a virtual machine itself: its own clock is another then.
		d.OS.Cmdline += " tsc=unstable"
		// What the emulator's page tables of five levels cost, it does not give back.
		d.Type, d.CPU = "qemu", &libvirtxml.DomainCPU{
			Mode:     "maximum",
			Features: []libvirtxml.DomainCPUFeature{{Policy: "disable", Name: "la57"}},
		}
	}
	if m.Firmware != "" {
		d.OS.Loader = &libvirtxml.DomainLoader{Path: m.Firmware, Readonly: "yes", Type: "rom"}
	}
	if m.CPUs > 0 {
		d.CPUTune = &libvirtxml.DomainCPUTune{
			Period: &libvirtxml.DomainCPUTunePeriod{Value: cpuPeriod},
			Quota:  &libvirtxml.DomainCPUTuneQuota{Value: int64(m.CPUs * cpuPeriod)},
		}
	}
	devices, err := m.devices()
	if err != nil {
		return "", err
	}
	d.Devices = devices
	text, err := d.Marshal()
	if err != nil {
		return "", fmt.Errorf("write domain XML of %s: %w", m.Name, err)
	}
	return text, nil
}

// devices puts all on the root bus: behind ports of their own, where libvirt would put them, each costs the kernel
// time.
func (m *Machine) devices() (*libvirtxml.DomainDeviceList, error) {
	slot := uint(firstSlot)
	address := func() *libvirtxml.DomainAddress {
		a := libvirtxml.DomainAddressPCI{Domain: new(uint), Bus: new(uint), Slot: new(uint), Function: new(uint)}
		*a.Slot = slot
		slot++
		return &libvirtxml.DomainAddress{PCI: &a}
	}
	list := libvirtxml.DomainDeviceList{
		Controllers: []libvirtxml.DomainController{
			{Type: "usb", Model: "none"},
			{Type: "virtio-serial", Index: new(uint), Address: address()},
		},
		Channels: []libvirtxml.DomainChannel{{
			Source: socket(m.Socket),
			Target: &libvirtxml.DomainChannelTarget{VirtIO: &libvirtxml.DomainChannelTargetVirtIO{Name: PortName}},
		}},
		Serials:    []libvirtxml.DomainSerial{serial(socket(m.Log), 0)},
		MemBalloon: &libvirtxml.DomainMemBalloon{Model: "none"},
	}
	if m.Shell {
		list.Serials = append(
			list.Serials,
			serial(&libvirtxml.DomainChardevSource{Pty: &libvirtxml.DomainChardevSourcePty{}}, 1),
		)
	}
	for _, s := range m.Shares {
		list.Filesystems = append(list.Filesystems, s.element(address()))
	}
	for i, disk := range m.Disks {
		if len(disk.Serial) > maxSerial {
			return nil, fmt.Errorf(
				"disk %s: its serial number %q has more than %d characters",
				disk.File,
				disk.Serial,
				maxSerial,
			)
		}
		list.Disks = append(list.Disks, disk.element(i, address()))
	}
	for _, i := range m.Interfaces {
		element := attachment(i)
		element.Model = &libvirtxml.DomainInterfaceModel{Type: "virtio"}
		element.ROM = &libvirtxml.DomainROM{Enabled: "no"} // Nothing is booted from it.
		element.Address = address()
		list.Interfaces = append(list.Interfaces, element)
	}
	if slot > lastSlot+1 {
		return nil, fmt.Errorf("%d mounts, disks and networks are more than a machine has places for: %d",
			slot-firstSlot-1, lastSlot-firstSlot)
	}
	return &list, nil
}

func socket(path string) *libvirtxml.DomainChardevSource {
	return &libvirtxml.DomainChardevSource{UNIX: &libvirtxml.DomainChardevSourceUNIX{Mode: "bind", Path: path}}
}

func serial(source *libvirtxml.DomainChardevSource, port uint) libvirtxml.DomainSerial {
	return libvirtxml.DomainSerial{Source: source, Target: &libvirtxml.DomainSerialTarget{Type: "isa-serial", Port: &port}}
}

func (s Share) element(address *libvirtxml.DomainAddress) libvirtxml.DomainFilesystem {
	fs := mount(s.Dir, s.Tag)
	if s.ReadOnly {
		fs.ReadOnly = &libvirtxml.DomainFilesystemReadOnly{}
	}
	// Directories below may be of other file systems, whose files have the same numbers.
	fs.MultiDevs, fs.Address = "remap", address
	if s.Squash {
		fs.AccessMode = "squash"
	}
	return fs
}

func (d Disk) element(number int, address *libvirtxml.DomainAddress) libvirtxml.DomainDisk {
	disk := libvirtxml.DomainDisk{
		Device:  "disk",
		Driver:  &libvirtxml.DomainDiskDriver{Name: "qemu", Type: d.Format},
		Source:  &libvirtxml.DomainDiskSource{File: &libvirtxml.DomainDiskSourceFile{File: d.File}},
		Target:  &libvirtxml.DomainDiskTarget{Dev: diskName(number), Bus: "virtio"},
		Serial:  d.Serial,
		Address: address,
	}
	if d.Labelled {
		disk.Source.File.SecLabel = []libvirtxml.DomainDeviceSecLabel{{Model: "selinux", Relabel: "no"}}
	}
	if d.ReadOnly {
		disk.ReadOnly = &libvirtxml.DomainDiskReadOnly{}
	}
	return disk
}

// diskName is vda, vdb and so on; a machine has no places for more than 26.
func diskName(number int) string {
	if number > 25 {
		return "vd" + strconv.Itoa(number)
	}
	return "vd" + string(rune('a'+number))
}

// securityLabels asks for labels where the host's libvirt can give them; it gives the machine's files theirs too.
func (m *Machine) securityLabels() []libvirtxml.DomainSecLabel {
	var list []libvirtxml.DomainSecLabel
	switch m.SecurityModel {
	case "selinux":
		label := libvirtxml.DomainSecLabel{Type: "static", Model: "selinux", Relabel: "yes", Label: m.Security.ChosenLabel()}
		if m.Security.Mode == config.SecurityDynamic {
			label = libvirtxml.DomainSecLabel{
				Type:      "dynamic",
				Model:     "selinux",
				Relabel:   "yes",
				BaseLabel: m.Security.ChosenLabel(),
			}
		}
		list = append(list, label)
	case "apparmor":
		if m.Security.AppArmor != "" {
			list = append(list, libvirtxml.DomainSecLabel{Type: "static", Model: "apparmor", Label: m.Security.AppArmor})
		} else {
			list = append(list, libvirtxml.DomainSecLabel{Type: "dynamic", Model: "apparmor"})
		}
	}
	if m.RunAs != nil {
		list = append(list, libvirtxml.DomainSecLabel{Type: "static", Model: "dac", Relabel: "yes", Label: m.RunAs.String()})
	}
	return list
}
