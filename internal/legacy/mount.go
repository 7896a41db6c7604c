// SPDX-License-Identifier: Apache-2.0

package legacy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/pathname"
)

// alwaysOwn are bound for every container of ours, whatever its config says.
func alwaysOwn(target string) bool {
	switch target {
	case "/var", "/home", "/root", "/srv",
		"/etc/systemd/system", "/etc/machine-id", "/etc/fstab", "/etc/hostname", "/etc/hosts":
		return true
	}
	// The legacy tool hid the host's enabled units by these; ours has a boot target of its own.
	return strings.HasPrefix(target, "/usr/lib/systemd/system/") && strings.HasSuffix(target, ".target.wants")
}

func (v *converter) mount(m Mount) {
	s := v.result.Sandbox
	for _, i := range m.Includes {
		v.note(i.Line, "the original copied no includes either; copy "+i.Source+" to "+i.Target+" yourself")
	}
	inContent, isContent := strings.CutPrefix(m.Source, s.Content+"/")
	switch ofTree := isContent && "/"+inContent == m.Target; {
	case m.Kind == RAM:
		v.ram(m)
	case m.Kind == HostImage && m.Target == s.Content:
		v.image(m)
	case m.Kind == HostImage:
		v.format(m.Line, m.Format)
		v.add(config.MountHostImage, m.Line, m.Target, m.Source+",format="+m.Format)
	case v.result.Tree != "" && m.Target == v.result.Tree:
		v.tree(m)
	case v.result.Tree != "" && isContent:
		v.add(config.MountGuestBind, m.Line, m.Target, v.result.Tree+"/"+inContent)
	case ofTree && alwaysOwn(m.Target):
	case ofTree:
		v.private(m.Line, m.Target)
	case isContent:
		v.part(m, "/"+inContent)
	case m.Kind == GuestBind:
		v.add(config.MountGuestBind, m.Line, m.Target, m.Source)
	default:
		v.add(config.MountHostBind, m.Line, m.Target, m.Source)
	}
}

// add keeps a mount as ours, which shows value at target.
func (v *converter) add(kind config.MountKind, line int, target, value string) {
	mount, err := config.ParseMount(string(kind) + ":" + target + "=" + value)
	if err == nil && mount.Target != target {
		err = fmt.Errorf("%q has a = in it, which ours cannot have", target)
	}
	v.check(line, err)
	v.result.Sandbox.Mounts = append(v.result.Sandbox.Mounts, mount)
}

// image gives the container its content in an image.
func (v *converter) image(m Mount) {
	s := v.result.Sandbox
	if s.Image != "" {
		v.fail(m.Line, "image %s has the place of %s, which is the content; leave one out", m.Source, s.Image)
	}
	v.check(m.Line, config.CheckPath(m.Source))
	s.Image, s.ImageFormat = m.Source, v.format(m.Line, m.Format)
}

func (v *converter) format(line int, text string) config.ImageFormat {
	v.check(line, config.CheckImageFormat(text))
	return config.ImageFormat(text)
}

// part shows a part of the content at another place. What the container has inside is found there, never on the host,
// for it could have put a link in its way.
func (v *converter) part(m Mount, p string) {
	if v.isOwn(p) {
		v.add(config.MountGuestBind, m.Line, m.Target, p)
		return
	}
	v.add(config.MountHostBind, m.Line, m.Target, m.Source)
}

// isOwn reports whether a path inside is one of the content.
func (v *converter) isOwn(p string) bool {
	return isOwnTop(p) || slices.ContainsFunc(v.Mounts, func(m Mount) bool {
		return m.Kind != RAM && m.Source == v.result.Sandbox.Content+m.Target && strings.HasPrefix(p+"/", m.Target+"/")
	})
}

// isOwnTop tells of what every container of ours has in its content.
func isOwnTop(p string) bool {
	isBelow := func(own string) bool { return pathname.IsWithin(p, own) }
	return slices.ContainsFunc([]string{"/var", "/home", "/root", "/srv"}, isBelow)
}

// disk keeps a disk; of the legacy types only files worked.
func (v *converter) disk(d Disk) {
	if d.Type != "file" {
		v.fail(d.Line, "type=%s of disk %s is not file", d.Type, d.Tag)
	}
	v.format(d.Line, d.Format)
	disk, err := config.ParseDisk(d.Tag + "=" + d.Source + ",format=" + d.Format)
	if err == nil && disk.Tag != d.Tag {
		err = fmt.Errorf("tag %q has a = or : in it, which ours cannot have", d.Tag)
	}
	v.check(d.Line, err)
	v.result.Sandbox.Disks = append(v.result.Sandbox.Disks, disk)
}

// tree gives a generic container its content at the path where it saw it: below what is its own anyway, or as a private
// path.
func (v *converter) tree(m Mount) {
	v.check(m.Line, config.CheckPath(m.Target))
	if !isOwnTop(m.Target) {
		v.private(m.Line, m.Target)
	}
}

func (v *converter) private(line int, target string) {
	if strings.Count(target, "/") < 2 {
		v.fail(line, "%s cannot be private; it is shared, or hidden, as a whole", target)
	}
	v.check(line, config.CheckPath(target))
	v.result.Sandbox.Private = append(v.result.Sandbox.Private, config.PrivatePath{Path: target, Origin: "admin"})
}

// ram keeps sizes; of what every container has, ours are the least: systemd refuses to reload with the legacy /run.
func (v *converter) ram(m Mount) {
	s := v.result.Sandbox
	size := config.Size(m.Usage)
	limits := map[string]*config.Size{"/run": &s.Limits.Run, "/tmp": &s.Limits.Tmp, "/dev/shm": &s.Limits.Shm}
	for target, limit := range limits {
		if m.Target == target {
			*limit = max(*limit, size)
			return
		}
	}
	v.add(config.MountRAM, m.Line, m.Target, size.String())
}
