// SPDX-License-Identifier: Apache-2.0

// Package domain writes the libvirt domain XML of a sandbox. In: a config.Sandbox and where its pieces lie on this
// host; out: XML for libvirt's LXC driver. The helper calls it; it is pure and knows no connection.
package domain

import (
	"cmp"
	"fmt"
	"math"
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

// Host is what the XML must know of the machine.
type Host struct {
	Root          string      // directory that becomes the root, with all that is mounted in it
	Shell         bool        // whether there is a second console, for guest.ShellTerminal
	Memory        config.Size // bytes of RAM, the bound of sandboxes without one of their own
	SecurityModel string      // of libvirt's capabilities: selinux, apparmor or ""
	// SELinux context that virt-sandbox-init sets the container up under; empty for the processes' own
	SetupLabel string
	Devices    map[string]string // block devices of the disks that libvirt need not make one of, by tag
	Asked      []string          // capabilities that the units name
	Lacks      []string          // capabilities that the host does not have to give
}

// LXC returns the XML of a container. Its root has everything that is mounted but what lies below /dev, which libvirt
// makes itself.
func LXC(s *config.Sandbox, host Host) (string, error) {
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
			Filesystems: filesystems(s, host),
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
	// libvirtxml spells the element in a way of its own, which libvirt refuses.
	return strings.NewReplacer("<dac_read_Search ", "<dac_read_search ", "</dac_read_Search>", "</dac_read_search>").
		Replace(text), nil
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

// filesystems gives libvirt no path that a container could have changed: it resolves them by name, with all rights.
func filesystems(s *config.Sandbox, host Host) []libvirtxml.DomainFilesystem {
	list := []libvirtxml.DomainFilesystem{mount(host.Root, "/"), ram("/dev/shm", s.Limits.Shm)}
	for _, m := range s.Mounts {
		switch {
		case !IsLibvirts(s, m):
		case m.Kind.ShowsMemory():
			list = append(list, ram(m.Target, m.Size))
		default:
			fs := mount(m.Source, m.Target)
			if !m.Kind.IsWritable() {
				fs.ReadOnly = &libvirtxml.DomainFilesystemReadOnly{}
			}
			list = append(list, fs)
		}
	}
	return list
}

// IsLibvirts reports whether libvirt makes a mount: one below /dev, which it makes itself. Files of the host it can
// only show with the host's ids.
func IsLibvirts(s *config.Sandbox, m config.Mount) bool {
	shows := m.Kind.ShowsMemory() || m.Kind.ShowsHostFiles() && !s.Hardening.IDMap.Mapped()
	return shows && strings.HasPrefix(m.Target, "/dev/")
}

func mount(source, target string) libvirtxml.DomainFilesystem {
	return libvirtxml.DomainFilesystem{
		AccessMode: "passthrough",
		Source:     &libvirtxml.DomainFilesystemSource{Mount: &libvirtxml.DomainFilesystemSourceMount{Dir: source}},
		Target:     &libvirtxml.DomainFilesystemTarget{Dir: target},
	}
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
