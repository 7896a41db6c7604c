// SPDX-License-Identifier: Apache-2.0

package unitfile

import (
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/internal/capability"
)

// Capabilities returns those that a unit names for itself (systemd.exec(5)), and what it needs for a priority above
// the ordinary. A line that takes some away, as one that begins with ~ does, names none.
func (u *Unit) Capabilities() []string {
	names := append(u.NamedCapabilities("CapabilityBoundingSet"), u.NamedCapabilities("AmbientCapabilities")...)
	names = slices.DeleteFunc(names, func(name string) bool { return !slices.Contains(capability.Names(), name) })
	nice := u.Words("Nice")
	if len(nice) > 0 && strings.HasPrefix(nice[len(nice)-1], "-") ||
		len(u.Words("CPUSchedulingPolicy"))+len(u.Words("CPUSchedulingPriority"))+len(u.Words("IOSchedulingClass")) > 0 {
		names = append(names, "CAP_SYS_NICE")
	}
	return names
}

// NamedCapabilities returns the capabilities that a directive lists, also those that nobody knows.
func (u *Unit) NamedCapabilities(directive string) []string {
	var named []string
	for _, o := range u.options {
		switch {
		case o.name != directive || strings.HasPrefix(o.value, "~"):
		case o.value == "":
			named = nil
		default:
			named = append(named, split(strings.ToUpper(o.value))...)
		}
	}
	return named
}
