// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"slices"

	"libvirt.org/go/libvirtxml"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/capability"
)

// baseCapabilities are what ordinary services may have in a container, and what a systemd needs: it hangs up terminals.
// CAP_SYS_ADMIN is not among them: with it root could undo each mount that keeps it out, and remount or freeze the
// host's file systems for the host too. Nor is CAP_SYS_BOOT, with which kexec_load(2) loads kernels; without it a
// systemd that powers off leaves, which does as well. Nor CAP_SYS_PTRACE, which takes hold of a process that enters
// before it has become its program; without it a journal lacks the program's file for processes of other users. Nor
// CAP_SYS_RESOURCE, which makes processes that the kernel never ends when memory runs out; the hard limits that it
// would raise are set from outside.
func baseCapabilities() []string {
	return []string{
		"CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_NET_BIND_SERVICE",
		fileCapability, "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT", "CAP_SYS_TTY_CONFIG",
	}
}

// networkCapabilities are harmless only in a network of the container's own. The kernel asks nobody for
// CAP_NET_BROADCAST, but routing daemons such as bird end where they cannot keep it.
func networkCapabilities() []string {
	return []string{"CAP_NET_ADMIN", "CAP_NET_BROADCAST", "CAP_NET_RAW"}
}

// hostCapabilities reach what the kernel has only once for all containers and the host: no unit gets them by asking,
// nor those of the network where that is the host's. CAP_DAC_READ_SEARCH lets one open any file of a file system by its
// handle.
func hostCapabilities() []string {
	return []string{
		"CAP_AUDIT_CONTROL", "CAP_BLOCK_SUSPEND", "CAP_DAC_READ_SEARCH", "CAP_LINUX_IMMUTABLE", "CAP_MAC_ADMIN",
		"CAP_MAC_OVERRIDE",
		"CAP_MKNOD", "CAP_SYS_BOOT", "CAP_SYS_MODULE", "CAP_SYS_PACCT", "CAP_SYS_RAWIO", "CAP_SYS_TIME", "CAP_SYSLOG",
		"CAP_WAKE_ALARM",
	}
}

// initCapabilities are what virt-sandbox-init makes a container with: it mounts, and takes away what is not allowed.
func initCapabilities() []string { return []string{"CAP_SETPCAP", "CAP_SYS_ADMIN"} }

// fileCapability lets one give capabilities to files.
const fileCapability = "CAP_SETFCAP"

// RootWritesToHost reports whether root inside writes to directories of the host, where a user of the host may meet
// what it leaves: programs that are set-user-ID, set-group-ID or have capabilities would be those of the host's root.
func RootWritesToHost(s *config.Sandbox) bool {
	return s.Identity.UID == 0 && slices.ContainsFunc(s.Mounts, func(m config.Mount) bool {
		return m.Kind.ShowsHostFiles() && m.Kind.IsWritable()
	})
}

// allowedCapabilities returns what processes of the container may have, where the config bounds it.
func allowedCapabilities(s *config.Sandbox, host Host) []string {
	c := s.Hardening.Capabilities
	allowed := slices.Clone(c.Add)
	if c.Base == config.NamesAuto {
		allowed = append(allowed, baseCapabilities()...)
		if s.Network == config.NetworkPrivate {
			allowed = append(allowed, networkCapabilities()...)
		}
		for _, name := range host.Asked {
			ofHost := slices.Contains(hostCapabilities(), name) ||
				s.Network == config.NetworkHost && slices.Contains(networkCapabilities(), name)
			if !ofHost {
				allowed = append(allowed, name)
			}
		}
		if RootWritesToHost(s) {
			allowed = slices.DeleteFunc(allowed, func(name string) bool {
				return name == fileCapability && !slices.Contains(c.Add, name)
			})
		}
	}
	// libvirt fails over one that it cannot give, as it is where the host is a container itself.
	return slices.DeleteFunc(allowed, func(name string) bool {
		return slices.Contains(c.Drop, name) || slices.Contains(host.Lacks, name)
	})
}

// Capabilities returns those that processes of the container can ever have.
func Capabilities(s *config.Sandbox, host Host) []string {
	c := s.Hardening.Capabilities
	if c.Base != config.NamesAll {
		return allowedCapabilities(s, host)
	}
	// libvirt knows no more, and takes a few of them away.
	return slices.DeleteFunc(capability.Names(), func(name string) bool { return slices.Contains(c.Drop, name) })
}

// libvirtTakes are the capabilities that libvirt takes from containers whose config says nothing of them.
func libvirtTakes() []string {
	return []string{"CAP_AUDIT_CONTROL", "CAP_MAC_ADMIN", "CAP_MKNOD", "CAP_SYS_MODULE", "CAP_SYS_TIME"}
}

// PlannedCapabilities returns those that processes of the container will have where its units ask for some, as far as
// that can be told before a start.
func PlannedCapabilities(s *config.Sandbox, asked []string) []string {
	return slices.DeleteFunc(Capabilities(s, Host{Asked: asked}), func(name string) bool {
		c := s.Hardening.Capabilities
		return c.Base == config.NamesAll && slices.Contains(libvirtTakes(), name) && !slices.Contains(c.Add, name)
	})
}

// DroppedCapabilities returns those that the container is made with and its processes may not have.
func DroppedCapabilities(s *config.Sandbox, host Host) []string {
	c := s.Hardening.Capabilities
	if c.Base == config.NamesAll {
		return slices.DeleteFunc(initCapabilities(), func(name string) bool { return !slices.Contains(c.Drop, name) })
	}
	allowed := allowedCapabilities(s, host)
	return slices.DeleteFunc(initCapabilities(), func(name string) bool { return slices.Contains(allowed, name) })
}

// capabilities returns the policy for libvirt and the capabilities that it switches on or off.
func capabilities(s *config.Sandbox, host Host) *libvirtxml.DomainFeatureCapabilities {
	c := s.Hardening.Capabilities
	if c.Base == config.NamesAll {
		dropped := slices.DeleteFunc(
			slices.Clone(c.Drop),
			func(name string) bool { return slices.Contains(initCapabilities(), name) },
		)
		if len(c.Add) == 0 && len(dropped) == 0 {
			return nil
		}
		list := &libvirtxml.DomainFeatureCapabilities{Policy: "default"}
		switchTo("on", list, c.Add)
		switchTo("off", list, dropped)
		return list
	}
	list := &libvirtxml.DomainFeatureCapabilities{Policy: "deny"}
	switchTo("on", list, append(allowedCapabilities(s, host), initCapabilities()...))
	return list
}

func switchTo(state string, list *libvirtxml.DomainFeatureCapabilities, names []string) {
	elements := map[string]**libvirtxml.DomainFeatureCapability{
		"CAP_AUDIT_CONTROL": &list.AuditControl, "CAP_AUDIT_WRITE": &list.AuditWrite, "CAP_BLOCK_SUSPEND": &list.BlockSuspend,
		"CAP_CHOWN": &list.Chown, "CAP_DAC_OVERRIDE": &list.DACOverride, "CAP_DAC_READ_SEARCH": &list.DACReadSearch,
		"CAP_FOWNER": &list.FOwner, "CAP_FSETID": &list.FSetID, "CAP_IPC_LOCK": &list.IPCLock,
		"CAP_IPC_OWNER": &list.IPCOwner,
		"CAP_KILL":      &list.Kill, "CAP_LEASE": &list.Lease, "CAP_LINUX_IMMUTABLE": &list.LinuxImmutable,
		"CAP_MAC_ADMIN":    &list.MACAdmin,
		"CAP_MAC_OVERRIDE": &list.MACOverride, "CAP_MKNOD": &list.MkNod, "CAP_NET_ADMIN": &list.NetAdmin,
		"CAP_NET_BIND_SERVICE": &list.NetBindService, "CAP_NET_BROADCAST": &list.NetBroadcast, "CAP_NET_RAW": &list.NetRaw,
		"CAP_SETFCAP": &list.SetFCap, "CAP_SETGID": &list.SetGID, "CAP_SETPCAP": &list.SetPCap, "CAP_SETUID": &list.SetUID,
		"CAP_SYS_ADMIN": &list.SysAdmin, "CAP_SYS_BOOT": &list.SysBoot, "CAP_SYS_CHROOT": &list.SysChRoot,
		"CAP_SYS_MODULE": &list.SysModule, "CAP_SYS_NICE": &list.SysNice, "CAP_SYS_PACCT": &list.SysPAcct,
		"CAP_SYS_PTRACE": &list.SysPTrace, "CAP_SYS_RAWIO": &list.SysRawIO, "CAP_SYS_RESOURCE": &list.SysResource,
		"CAP_SYS_TIME": &list.SysTime, "CAP_SYS_TTY_CONFIG": &list.SysTTYCnofig, "CAP_SYSLOG": &list.SysLog,
		"CAP_WAKE_ALARM": &list.WakeAlarm,
	}
	for _, name := range names {
		*elements[name] = &libvirtxml.DomainFeatureCapability{State: state}
	}
}
