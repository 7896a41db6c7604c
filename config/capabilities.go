// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"slices"
	"strings"
)

// CapabilityBase is what a set of capabilities begins with.
type CapabilityBase string

// The bases: nothing, what a container of its kind needs, or what libvirt leaves a container.
const (
	CapabilitiesNone CapabilityBase = ""
	CapabilitiesAuto CapabilityBase = "auto"
	CapabilitiesAll  CapabilityBase = "all"
)

// Capabilities are those that processes of the container can ever have (capabilities(7)).
type Capabilities struct {
	Base      CapabilityBase
	Add, Drop []string // names such as CAP_NET_RAW
}

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

// ParseCapabilities reads auto or all, followed by names with + and -, or only names.
func ParseCapabilities(text string) (Capabilities, error) {
	var c Capabilities
	words := strings.Fields(text)
	if len(words) > 0 && (words[0] == string(CapabilitiesAuto) || words[0] == string(CapabilitiesAll)) {
		c.Base, words = CapabilityBase(words[0]), words[1:]
	} else if len(words) == 0 {
		return c, fmt.Errorf(msgCapabilities, text)
	}
	for _, word := range words {
		name := word
		list := &c.Add
		if c.Base != CapabilitiesNone {
			switch word[0] {
			case '+':
			case '-':
				list = &c.Drop
			default:
				return c, fmt.Errorf(msgCapabilities, text)
			}
			name = word[1:]
		}
		if !slices.Contains(capabilityNames[:], name) {
			return c, fmt.Errorf(msgCapability, name)
		}
		if slices.Contains(c.Add, name) || slices.Contains(c.Drop, name) {
			return c, fmt.Errorf(msgCapabilityTwice, name)
		}
		*list = append(*list, name)
	}
	return c, nil
}

// String returns the text that ParseCapabilities reads as the same.
func (c Capabilities) String() string {
	var words []string
	plus := ""
	if c.Base != CapabilitiesNone {
		words, plus = append(words, string(c.Base)), "+"
	}
	for _, name := range c.Add {
		words = append(words, plus+name)
	}
	for _, name := range c.Drop {
		words = append(words, "-"+name)
	}
	return strings.Join(words, " ")
}
