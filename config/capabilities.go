// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"slices"

	"github.com/virt-sandbox/virt-sandbox/internal/nameset"
)

// Names is a set of names that a key of [hardening] takes: what it begins with, and what is added and taken away.
type Names = nameset.Set

// The bases of Names: nothing, what a container of its kind needs, or all that it could have.
const (
	NamesNone = nameset.None
	NamesAuto = nameset.Auto
	NamesAll  = nameset.All
)

// capabilityNames lists the capabilities that libvirt can give and take, by number: the kernel has more since, which
// only libvirt's default policy leaves a container.
var capabilityNames = [...]string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
	"CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN",
	"CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE",
	"CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE", "CAP_SYS_TIME",
	"CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL", "CAP_SETFCAP",
	"CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND",
}

// CapabilityNames returns the names of all capabilities that libvirt can give and take.
func CapabilityNames() []string { return slices.Clone(capabilityNames[:]) }

// CapabilityNumber returns the kernel's number of one of CapabilityNames.
func CapabilityNumber(name string) uint32 { return uint32(slices.Index(capabilityNames[:], name)) }

// ParseCapabilities reads auto or all, followed by names with + and -, or only names, of capabilities(7): those that
// processes of the container can ever have.
func ParseCapabilities(text string) (Names, error) {
	return parseNames(text, msgCapabilities, msgCapability,
		func(name string) bool { return slices.Contains(capabilityNames[:], name) })
}

// ParseSystemCalls reads the same of names of system calls: those that processes of the container can make. Whether the
// host knows a name is seen when it is needed: that depends on its architecture.
func ParseSystemCalls(text string) (Names, error) {
	return parseNames(text, msgSystemCalls, msgSystemCall, isSystemCall)
}

func parseNames(text, form, unknown string, isName func(string) bool) (Names, error) {
	names, err := nameset.Parse(text, func(name string) error {
		if !isName(name) {
			return fmt.Errorf(unknown, name)
		}
		return nil
	})
	var twice nameset.TwiceError
	switch {
	case errors.Is(err, nameset.ErrForm):
		err = fmt.Errorf(form, text)
	case errors.As(err, &twice):
		err = fmt.Errorf(msgNameTwice, string(twice))
	}
	return names, err
}
