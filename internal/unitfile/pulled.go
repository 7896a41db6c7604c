// SPDX-License-Identifier: Apache-2.0

package unitfile

import (
	"os"
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
)

// maxUnits bounds how many units a sandbox has with those that they start: a template may want another instance of
// itself.
const maxUnits = 256

// pull is a unit that another one starts.
type pull struct{ name, via string } // via is a directive

// finder finds the units of a sandbox, each once.
type finder struct {
	root  Root
	index index
	seen  map[string]bool // by canonical name
	asked map[string]bool // by the name under which others pull it in
}

func newFinder(root Root) *finder {
	return &finder{root, root.newIndex(), make(map[string]bool), make(map[string]bool)}
}

// add finds what units pull in, and what those do in turn, without units of systemd itself. With mayLack one that
// cannot be read is left out. A start goes on without units beyond the bound.
func (f *finder) add(from []*Unit, mayLack bool, of func(*Unit) []pull) ([]*Unit, error) {
	var all []*Unit
	for next := from; len(next) > 0; {
		var found []*Unit
		for _, u := range next {
			for _, p := range of(u) {
				if len(f.seen) >= maxUnits {
					return append(all, found...), nil
				}
				pulled, err := f.pulled(u, p)
				if err != nil && !mayLack {
					return nil, err
				}
				if err == nil && pulled != nil {
					found = append(found, pulled)
				}
			}
		}
		all = append(all, found...)
		next = found
	}
	return all, nil
}

// pulled finds a unit that another pulls in; nil for one that was found before, that the host has not, or that is
// systemd's.
func (f *finder) pulled(by *Unit, p pull) (*Unit, error) {
	name, err := unitname.Parse(p.name)
	if err == nil && name.IsTemplate() && p.via != triggered {
		// A link to a template is one to the instance of the same name.
		own, _ := unitname.Parse(by.Name)
		name = name.Instantiate(own.Instance())
	}
	if err != nil || !isFollowed(name) || f.asked[name.String()] {
		return nil, nil
	}
	f.asked[name.String()] = true
	u := f.root.locate(name, maxAliases)
	if u == nil && p.via != triggered {
		u, err = f.root.generate(name)
	}
	if u == nil || err != nil || f.seen[u.Name] || IsSystems(u.Name) {
		return nil, err
	}
	f.seen[u.Name] = true
	u.By, u.Via = by.Name, p.via
	return u, f.root.read(u, f.index)
}

// required returns what a unit does not start without (systemd.unit(5), Requires=), and what is started with it.
func (f *finder) required(u *Unit) []pull {
	return slices.Concat(u.pulls("Requires"), u.pulls("BindsTo"), u.pulls("Requisite"),
		f.linked(u, "Requires", ".requires"), u.triggers())
}

// wanted returns what a unit starts with it or after it, and runs without, and what it requires.
func (f *finder) wanted(u *Unit) []pull {
	return slices.Concat(u.pulls("Wants"), u.pulls("Upholds"), u.pulls("Sockets"), u.pulls("OnFailure"),
		u.pulls("OnSuccess"), f.linked(u, "Wants", ".wants"), f.linked(u, "Upholds", ".upholds"), f.required(u))
}

// linked returns the units that have links in a directory of a unit, such as UNIT.wants.
func (f *finder) linked(u *Unit, via, suffix string) []pull {
	var all []pull
	for _, l := range u.links(f.index, suffix) {
		if l.Target != "" && l.Target != os.DevNull {
			all = append(all, pull{l.Name(), via})
		}
	}
	return all
}

// links returns what lies in the directories of a unit with a suffix.
func (u *Unit) links(index index, suffix string) []Link {
	var all []Link
	for _, name := range append([]string{u.Name}, u.Aliases...) {
		for _, of := range withTemplate(name) {
			all = append(all, index().pulling[of+suffix]...)
		}
	}
	return all
}

// pulls returns the units that a directive lists. An empty assignment forgets none of them.
func (u *Unit) pulls(directive string) []pull {
	var all []pull
	for _, o := range u.options {
		if o.name == directive {
			for _, word := range split(o.value) {
				all = append(all, pull{u.expand(word), directive})
			}
		}
	}
	return all
}

// Requires returns the names of the units that a unit itself says not to start without, and the directives.
func (u *Unit) Requires() (names, directives []string) {
	for _, p := range slices.Concat(u.pulls("Requires"), u.pulls("BindsTo"), u.pulls("Requisite")) {
		names, directives = append(names, p.name), append(directives, p.via)
	}
	return names, directives
}

// isFollowed reports whether a unit that another pulls in is one that a package can have for it: no device, slice or
// scope, and none of systemd's.
func isFollowed(name unitname.Name) bool {
	return (name.Type().Runs() || name.Type() == "automount") && !IsSystems(name.String())
}

// IsSystems reports whether a unit is one of systemd's or D-Bus's own, which a container has or lacks whatever it runs
// (systemd.special(7)).
func IsSystems(name string) bool {
	if slices.Contains(BaseTargets(), name) || slices.Contains(otherTargets(), name) {
		return true
	}
	return slices.ContainsFunc(systemsPrefixes(), func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

func systemsPrefixes() []string {
	return []string{
		"-.", "systemd-", "dbus.", "dbus-", "modprobe@", "user@", "user-runtime-dir@", "getty@", "serial-getty@",
		"container-getty@", "console-getty.", "kmod-static-nodes.", "quotaon.", "ldconfig.", "initrd-", "initrd.", "rescue.",
		"emergency.",
	}
}

// BaseTargets are what every container reaches when it boots or ends. Others are reached only when a unit of the
// container wants them, and are its package's matter.
func BaseTargets() []string {
	return []string{
		"sysinit.target", "basic.target", "sockets.target", "timers.target", "paths.target", "slices.target",
		"local-fs-pre.target", "local-fs.target", "remote-fs-pre.target", "remote-fs.target", "swap.target",
		"network-pre.target", "network.target", "network-online.target", "nss-lookup.target", "nss-user-lookup.target",
		"time-set.target", "time-sync.target", "shutdown.target", "umount.target", "final.target", "reboot.target",
		"poweroff.target", "halt.target", "exit.target",
	}
}

// otherTargets are those of systemd that a container does not reach by itself.
func otherTargets() []string {
	return []string{
		"multi-user.target", "graphical.target", "default.target", "getty.target", "getty-pre.target", "rpcbind.target",
		"cryptsetup.target", "cryptsetup-pre.target", "remote-cryptsetup.target", "first-boot-complete.target",
		"boot-complete.target", "machines.target", "sleep.target", "suspend.target", "hibernate.target", "kexec.target",
		"sound.target", "printer.target", "bluetooth.target", "smartcard.target", "usb-gadget.target",
		"system-update.target", "ctrl-alt-del.target", "sigpwr.target",
	}
}
