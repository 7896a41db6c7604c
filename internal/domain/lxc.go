// SPDX-License-Identifier: Apache-2.0

// Package domain writes the libvirt domain XML of a sandbox. In: a config.Sandbox and where its pieces lie on this
// host; out: XML for libvirt's LXC driver. The helper calls it; it is pure and knows no connection.
package domain

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"libvirt.org/go/libvirtxml"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/guest"
)

// Places of a container, fixed by the Container Interface (systemd.io/CONTAINER_INTERFACE): what the manager has for
// its payload lies below /run/host.
const (
	GuestDir  = "/run/host"
	GuestInit = guest.ProgramFile
)

// cpuPeriod is the length in microseconds of the period that a CPU limit is enforced over, libvirt's default.
const cpuPeriod = 100000

// Bind is one directory or file of the host at a place in the container.
type Bind struct {
	Source, Target string
	ReadOnly       bool
}

// Host is what the XML must know of the machine.
type Host struct {
	Base  string // directory that becomes the read-only root in place of the host's own; empty for that
	Shell bool   // whether there is a second console, for guest.ShellTerminal
	// tree that becomes the root with all binds and mounts in it; empty for the host's own root
	Root string
	Init string // virt-sandbox-init, a static program; empty where Runtime has it
	// directory that becomes GuestDir; it has a file virt-sandbox-init, the program or one to mount over
	Runtime       string
	Memory        config.Size // bytes of RAM, the bound of sandboxes without one of their own
	SecurityModel string      // of libvirt's capabilities: selinux, apparmor or ""
	// SELinux context that virt-sandbox-init sets the container up under; empty for the processes' own
	SetupLabel string
	Mounted    map[string]string // directories where the file systems of host-image mounts are, by target
	Devices    map[string]string // block devices of the disks that libvirt need not make one of, by tag
	Asked      []string          // capabilities that the units name
	Lacks      []string          // capabilities that the host does not have to give
}

// LXC returns the XML of a container: the host's root read-only, over it tmpfs, then binds in the order given, then the
// administrator's mounts, then what the manager provides.
func LXC(s *config.Sandbox, binds []Bind, host Host) (string, error) {
	memory := s.Limits.Memory
	if memory == 0 {
		memory = host.Memory
	}
	d := libvirtxml.Domain{
		Type:   "lxc",
		Name:   s.Name,
		UUID:   s.UUID,
		Title:  title(s),
		Memory: &libvirtxml.DomainMemory{Value: uint(memory / 1024), Unit: "KiB"},
		VCPU:   &libvirtxml.DomainVCPU{Value: uint(max(1, math.Ceil(s.Limits.CPUs)))},
		OS: &libvirtxml.DomainOS{
			Type:    &libvirtxml.DomainOSType{Type: "exe"},
			Init:    GuestInit,
			InitEnv: []libvirtxml.DomainOSInitEnv{{Name: "NOTIFY_SOCKET", Value: guest.NotifySocket}},
		},
		OnPoweroff: "destroy",
		OnReboot:   "destroy",
		OnCrash:    "destroy",
		Devices: &libvirtxml.DomainDeviceList{
			Disks:       disks(s, host),
			Filesystems: filesystems(s, binds, host),
			Interfaces:  interfaces(s),
			Consoles:    consoles(host),
		},
		Features: features(s, host),
		IDMap:    idMap(s.Hardening.IDMap),
		SecLabel: securityLabel(s, host),
	}
	if s.Limits.CPUs > 0 {
		d.CPUTune = &libvirtxml.DomainCPUTune{
			Period: &libvirtxml.DomainCPUTunePeriod{Value: cpuPeriod},
			Quota:  &libvirtxml.DomainCPUTuneQuota{Value: int64(s.Limits.CPUs * cpuPeriod)},
		}
	}
	text, err := d.Marshal()
	if err != nil {
		return "", fmt.Errorf("write domain XML of %s: %w", s.Name, err)
	}
	return text, nil
}

func consoles(host Host) []libvirtxml.DomainConsole {
	list := make([]libvirtxml.DomainConsole, 1)
	if host.Shell {
		list = make([]libvirtxml.DomainConsole, 2)
	}
	for i := range list {
		port := uint(i)
		list[i].Source = &libvirtxml.DomainChardevSource{Pty: &libvirtxml.DomainChardevSourcePty{}}
		list[i].Target = &libvirtxml.DomainConsoleTarget{Type: "lxc", Port: &port}
	}
	return list
}

func features(s *config.Sandbox, host Host) *libvirtxml.DomainFeatureList {
	list := libvirtxml.DomainFeatureList{Capabilities: capabilities(s, host)}
	if s.Network == config.NetworkPrivate {
		list.PrivNet = &libvirtxml.DomainFeature{}
	}
	if list.Capabilities == nil && list.PrivNet == nil {
		return nil
	}
	return &list
}

// idMap maps the ids from 0 in a user namespace of the container's own; none for the host's.
func idMap(m config.IDMap) *libvirtxml.DomainIDMap {
	if !m.Mapped() {
		return nil
	}
	ranges := []libvirtxml.DomainIDMapRange{{Start: 0, Target: uint(m.Base), Count: uint(m.Count)}}
	return &libvirtxml.DomainIDMap{UIDs: ranges, GIDs: ranges}
}

func title(s *config.Sandbox) string {
	if s.Generic() {
		return "virt-sandbox: " + s.Name
	}
	return "virt-sandbox: " + strings.Join(s.Units, " ")
}

func filesystems(s *config.Sandbox, binds []Bind, host Host) []libvirtxml.DomainFilesystem {
	root := Bind{cmp.Or(host.Base, "/"), "/", true}
	if host.Root != "" {
		// In a user namespace libvirt could not make it read-only; what has to be is so already.
		root = Bind{host.Root, "/", false}
	}
	list := []libvirtxml.DomainFilesystem{
		mount(root), ram("/run", s.Limits.Run), ram("/tmp", s.Limits.Tmp), ram("/dev/shm", s.Limits.Shm),
	}
	if host.Root != "" {
		for _, m := range s.Mounts {
			if m.Kind.ShowsMemory() {
				list = append(list, ram(m.Target, m.Size))
			}
		}
		return append(list, mount(Bind{host.Runtime, GuestDir, false}))
	}
	for _, b := range binds {
		list = append(list, mount(b))
	}
	// One below another comes after it.
	mounts := slices.Clone(s.Mounts)
	slices.SortStableFunc(mounts, func(a, b config.Mount) int { return strings.Compare(a.Target, b.Target) })
	for _, m := range mounts {
		switch {
		case m.Kind.ShowsMemory():
			list = append(list, ram(m.Target, m.Size))
		case m.Kind.HasHostSource():
			list = append(list, mount(BindOf(m, host.Mounted)))
		}
	}
	list = append(list, mount(Bind{host.Runtime, GuestDir, true}))
	if host.Init != "" {
		list = append(list, mount(Bind{host.Init, GuestInit, true}))
	}
	return list
}

// BindOf returns a mount of the host's as libvirt or a root tree makes it. mounted has the directories of images by
// target.
func BindOf(m config.Mount, mounted map[string]string) Bind {
	b := Bind{Source: m.Source, Target: m.Target, ReadOnly: !m.Kind.IsWritable()}
	if m.Kind.ShowsImage() {
		b.Source = mounted[m.Target]
	}
	return b
}

func mount(b Bind) libvirtxml.DomainFilesystem {
	fs := libvirtxml.DomainFilesystem{
		AccessMode: "passthrough",
		Source:     &libvirtxml.DomainFilesystemSource{Mount: &libvirtxml.DomainFilesystemSourceMount{Dir: b.Source}},
		Target:     &libvirtxml.DomainFilesystemTarget{Dir: b.Target},
	}
	if b.ReadOnly {
		fs.ReadOnly = &libvirtxml.DomainFilesystemReadOnly{}
	}
	return fs
}

func ram(target string, size config.Size) libvirtxml.DomainFilesystem {
	return libvirtxml.DomainFilesystem{
		AccessMode: "passthrough",
		Source: &libvirtxml.DomainFilesystemSource{
			RAM: &libvirtxml.DomainFilesystemSourceRAM{Usage: uint(size), Units: "bytes"},
		},
		Target: &libvirtxml.DomainFilesystemTarget{Dir: target},
	}
}

// securityLabel asks for a label where the host's libvirt can give one. Content has its label already, so libvirt must
// not relabel it.
func securityLabel(s *config.Sandbox, host Host) []libvirtxml.DomainSecLabel {
	switch host.SecurityModel {
	case "apparmor":
		return appArmorLabel(s)
	case "selinux":
		return seLinuxLabel(s, host.SetupLabel)
	}
	return nil
}

// appArmorLabel asks for a profile that libvirt makes for this container alone. libvirt knows no other, so
// virt-sandbox-init sets one that the config names.
func appArmorLabel(s *config.Sandbox) []libvirtxml.DomainSecLabel {
	if s.Security.AppArmor != "" || s.Security.Mode == config.SecurityInherit {
		return []libvirtxml.DomainSecLabel{{Type: "none", Model: "apparmor"}}
	}
	return []libvirtxml.DomainSecLabel{{Type: "dynamic", Model: "apparmor"}}
}

func seLinuxLabel(s *config.Sandbox, setup string) []libvirtxml.DomainSecLabel {
	const model = "selinux"
	if s.Security.Mode == config.SecurityInherit {
		return nil
	}
	return []libvirtxml.DomainSecLabel{
		{Type: "static", Model: model, Relabel: "no", Label: cmp.Or(setup, s.ProcessLabel())},
	}
}
