// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"slices"
	"strconv"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/internal/ascii"
)

// ownPrefix begins the name of the group that a container's first program makes for itself.
const ownPrefix = "virt-sandbox-"

// OwnName returns the name of the group that the first program of a sandbox makes for itself.
func OwnName(sandbox string) string { return ownPrefix + sandbox }

// isOfContainer reports whether a group is one that libvirt, or systemd-machined for it, made for a container, or
// lies below one.
func isOfContainer(dir string) bool {
	for part := range strings.SplitSeq(dir, "/") {
		if strings.HasPrefix(part, "lxc-") || strings.HasPrefix(part, `machine-lxc\x2d`) {
			return true
		}
	}
	return false
}

// wholeOf returns the topmost group above dir, or dir, that is one sandbox's alone; "" for none.
func wholeOf(dir, sandbox string) string {
	parts := strings.Split(dir, "/")
	for i, part := range parts {
		if isOfContainer(part) || part == OwnName(sandbox) {
			return strings.Join(parts[:i+1], "/")
		}
	}
	return ""
}

// seenTop returns the topmost group above dir, or dir, that a sandbox's container sees; dir where that cannot be told.
func seenTop(dir, sandbox string) string {
	parts := strings.Split(dir, "/")
	if i := slices.Index(parts, OwnName(sandbox)); i >= 0 {
		return strings.Join(parts[:i+1], "/")
	}
	return dir
}

// isLibvirts reports whether a group of the name was made by libvirt itself.
func isLibvirts(name string) bool {
	return strings.HasPrefix(name, "lxc-") && strings.HasSuffix(name, ".libvirt-lxc")
}

// isLibvirtsFor reports whether libvirt itself made a group for the container of a sandbox. Of a name that it cut, or
// left characters out of, that cannot be told.
func isLibvirtsFor(name, sandbox string) bool {
	_, owner, _ := strings.Cut(strings.TrimPrefix(name, "lxc-"), "-")
	return isLibvirts(name) && strings.TrimSuffix(owner, ".libvirt-lxc") == sandbox
}

// isOthers reports whether libvirt, or systemd-machined for it, made a group for another container than the one whose
// first program made the group to remove. libvirt cuts names, and leaves characters out of them.
func isOthers(name, toRemove string) bool {
	name = strings.TrimPrefix(strings.ReplaceAll(name, `\x2d`, "-"), "machine-")
	rest, isContainers := strings.CutPrefix(name, "lxc-")
	_, owner, named := strings.Cut(rest, "-")
	owner = strings.TrimSuffix(strings.TrimSuffix(owner, ".libvirt-lxc"), ".scope")
	ours := strings.TrimPrefix(toRemove, ownPrefix)
	return isContainers && named && !strings.HasPrefix(alphanumeric(ours), alphanumeric(owner))
}

func alphanumeric(text string) string { return ascii.Map(text, "", func(rune) rune { return -1 }) }

// MadeByLibvirt returns the name of the groups that libvirt itself has made for the container of a libvirt_lxc
// process; "" where systemd made them, which removes them too.
func (t Tree) MadeByLibvirt(controller int) string {
	text, err := t.Proc.Cgroup(controller)
	if err != nil {
		return ""
	}
	for _, m := range Parse(text) {
		for part := range strings.SplitSeq(m.Path, "/") {
			if isLibvirts(part) && strings.HasPrefix(part, "lxc-"+strconv.Itoa(controller)+"-") {
				return part
			}
		}
	}
	return ""
}
