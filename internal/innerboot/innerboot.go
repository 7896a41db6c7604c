// SPDX-License-Identifier: Apache-2.0

// Package innerboot says what the systemd of a container boots: the units of the sandbox, changed where a container
// cannot give what they ask for, and what is masked. In: a host's root and a sandbox; out: what is to lie below the
// container's /etc/systemd/system. Package content puts it there; create tells what is changed. It reads units and
// writes nothing.
package innerboot

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/unitfile"
	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
)

// Dir is where a container has its own units and their drop-ins.
const Dir = "/etc/systemd/system"

// Entry is a file or a link below Dir.
type Entry struct {
	Path string // below Dir
	Link string // target of a link
	Text string // of a file
	Host string // path of the host's file that is copied, or of the link, where it is one of the administrator's
}

// Plan returns what a sandbox with a set of units has below Dir. denied says that the host's policy lets no process of
// the container mount.
func Plan(root unitfile.Root, s *config.Sandbox, set unitfile.Set, denied bool) []Entry {
	p, f := plan{sandbox: s}, newFitter(root, s, set, denied)
	for _, name := range maskedUnits() {
		p.link(name, "/dev/null")
	}
	if s.BootTarget == config.DefaultBootTarget {
		p.file(config.DefaultBootTarget, bootTarget)
	}
	p.maskUnchosen(root, set)
	p.file("mount.d/virt-sandbox.conf", mountDropIn)
	for _, dir := range keptMounts() {
		p.file(dir+".mount", fmt.Sprintf(mountUnit, dir))
	}
	for _, u := range set.Asked {
		p.link(s.BootTarget+".wants/"+u.Name, p.prepare(set, u))
	}
	for _, u := range set.Triggered {
		p.prepare(set, u)
	}
	for _, u := range set.Required {
		file := p.prepare(set, u)
		if u.Via == "Requisite" {
			// Who says so starts nothing, and the host has it started at boot.
			p.link(s.BootTarget+".wants/"+u.Name, file)
		}
	}
	for _, u := range f.set.Wanted {
		if f.masked()[u.Name] == "" && (isShown(u.Files[0]) || isOpen(root, u.Files[0])) {
			open := *u
			open.DropIns = slices.DeleteFunc(slices.Clone(u.DropIns), func(file string) bool { return !isOpen(root, file) })
			p.prepare(set, &open)
		}
	}
	p.notifyUnits()
	var own []string
	for _, u := range set.Asked {
		own = append(own, u.Name)
	}
	p.failures(own)
	p.hostKeys(set)
	return p.entries
}

// plan is an inner boot in the making.
type plan struct {
	sandbox *config.Sandbox
	entries []Entry
}

func (p *plan) file(name, text string) { p.entries = append(p.entries, Entry{Path: name, Text: text}) }

func (p *plan) link(name, target string) {
	p.entries = append(p.entries, Entry{Path: name, Link: target})
}

// isShown reports whether a container sees a unit file of the host where it lies.
func isShown(file string) bool {
	return slices.Contains(shownDirs(), path.Dir(file))
}

// isOpen reports whether everybody may read a file of the host. What is merely wanted brings no secrets along.
func isOpen(root unitfile.Root, file string) bool {
	info, err := os.Stat(string(root) + file)
	return err == nil && info.Mode()&0o004 != 0
}

// prepare adds what a unit of the host needs to run inside, and returns where its file is there.
func (p *plan) prepare(set unitfile.Set, u *unitfile.Unit) (file string) {
	file = u.Files[0]
	if u.By != "" && isMount(u) {
		return file // It is there, or mounted before.
	}
	if text := u.Generated(); text != "" {
		p.file(u.Name, text)
		file = path.Join(Dir, u.Name)
	} else if !isShown(file) {
		name := u.FileName()
		p.entries = append(p.entries, Entry{Path: name, Host: file})
		file = path.Join(Dir, name)
	}
	for _, alias := range u.Aliases {
		p.link(alias, file)
	}
	for _, l := range u.Links {
		if name, found := strings.CutPrefix(l.Path, Dir+"/"); found && (l.Target == os.DevNull || set.Has(l.Name())) {
			p.entries = append(p.entries, Entry{Path: name, Link: l.Target, Host: l.Path})
		}
	}
	for _, dropIn := range u.DropIns {
		if name, found := strings.CutPrefix(dropIn, Dir+"/"); found {
			p.entries = append(p.entries, Entry{Path: name, Host: dropIn})
		}
	}
	return file
}

// notifyUnits make the units that tell of a shutdown, so that the host knows it from a breakdown. A reboot ends the
// container too, and its unit on the host starts it anew: libvirt would do that by itself, unseen by the host's
// systemd.
func (p *plan) notifyUnits() {
	p.file("systemd-reboot.service.d/virt-sandbox.conf", "[Unit]\nSuccessAction=poweroff-force\n")
	for _, n := range notifications() {
		unit := notifyUnitName(n.word)
		p.file(unit, fmt.Sprintf(notifyUnit, n.word, n.before))
		p.link(n.target+".wants/"+unit, "../"+unit)
	}
}

// hostKeys gives sshd keys of the container's own where /etc/ssh is private.
func (p *plan) hostKeys(set unitfile.Set) {
	if !slices.ContainsFunc(p.sandbox.Private, func(p config.PrivatePath) bool { return p.Path == "/etc/ssh" }) {
		return
	}
	p.file("virt-sandbox-host-keys.service", hostKeysUnit)
	for _, u := range set.All() {
		if unit, err := unitname.Parse(u.Name); err == nil && unit.Type() == unitname.Service {
			p.file(u.Name+".d/10-virt-sandbox-host-keys.conf", hostKeysDropIn)
		}
	}
}
