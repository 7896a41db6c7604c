// SPDX-License-Identifier: Apache-2.0

// Package startup makes the host ready for the start of a container: it collects the facts that a boot plan depends on,
// puts what the plan needs into its places, and sets the bounds of a container whose init waits. In: a sandbox,
// libvirt's connection, a runtime directory. Out: a boot plan whose files and mounts are there. The starts of
// containers that stay and of one-shots call it.
package startup

import (
	"errors"
	"os/user"
	"strconv"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/account"
	"github.com/virt-sandbox/virt-sandbox/internal/boot"
	"github.com/virt-sandbox/virt-sandbox/internal/claims"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/hostetc"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/roottree"
)

// Host is the host that containers start on. It may be used from several goroutines.
type Host struct {
	Places  places.Root
	Content content.Host
	Claims  *claims.Book
	Configs config.Store // of containers that stay
	Warn    func(format string, args ...any)
	Mount   func(do func() error) error // calls do, which mounts
	// Machines is the host's systemd-machined; nil for the one of this machine, where systemd runs.
	Machines Machines
}

// Libvirt is what is asked of an open connection to libvirt.
type Libvirt interface {
	// SecurityModel returns what libvirt confines domains with: selinux, apparmor or "".
	SecurityModel() (string, error)
	// HostMemory returns the machine's RAM in bytes.
	HostMemory() (config.Size, error)
}

// RootTree returns the root that is put together for a container.
func (h *Host) RootTree(name string) roottree.Tree {
	return roottree.Tree{Dir: h.Places.Of(name).RootTree(), Sandbox: name}
}

// Etc has what containers see of the host's /etc.
func (h *Host) Etc() *hostetc.Store {
	return &hostetc.Store{Root: string(h.Places), Warn: h.Warn, InUse: h.Places.EtcInUse}
}

// PlanStart plans the start of a container that stays, and puts what it needs into its places on the host.
func (h *Host) PlanStart(libvirt Libvirt, s *config.Sandbox, dir places.RunDir) (*boot.Plan, error) {
	shown, err := h.shown(s)
	if err != nil {
		return nil, err
	}
	etc, err := h.Etc().Use(dir.NoteEtc)
	if err != nil {
		return nil, err
	}
	layout, err := h.Content.Layout(s, shown, etc)
	if err != nil {
		return nil, err
	}
	facts, err := h.facts(libvirt, s, dir)
	if err != nil {
		return nil, err
	}
	facts.View = layout.View
	if s.Generic() {
		// An account that the host does not know has no groups.
		if known, err := user.LookupId(strconv.FormatUint(uint64(s.Identity.UID), 10)); err == nil {
			if facts.Groups, err = account.Groups(known); err != nil {
				return nil, err
			}
		}
	}
	return h.furnish(s, dir, facts)
}

// OneShot is what a plan of a one-shot needs beside the sandbox.
type OneShot struct {
	boot.OneShot
	Groups []uint32                         // of the command's user
	Etc    *hostetc.Look                    // of Host.Etc, begun earlier; nil with another root
	Note   func(format string, args ...any) // tells who asks for more than warnings
}

// PlanOneShot plans the start of a one-shot, and puts what it needs into its places on the host. Where the file systems
// cannot show files to a user namespace, the one-shot has the host's ids: that is noted, and for a command of root a
// warning.
func (h *Host) PlanOneShot(libvirt Libvirt, s *config.Sandbox, shot OneShot, dir places.RunDir) (*boot.Plan, error) {
	facts, err := h.facts(libvirt, s, dir)
	if err != nil {
		return nil, err
	}
	facts.Groups, facts.OneShot = shot.Groups, &shot.OneShot
	if shot.Root == "" {
		useEtc := func() (string, error) { return shot.Etc.Use(dir.NoteEtc) }
		if facts.View, err = h.OneShotView(s, useEtc); err != nil {
			return nil, err
		}
	}
	plan, err := h.furnish(s, dir, facts)
	if errors.Is(err, roottree.ErrNoIDMap) {
		note := shot.Note
		if s.Identity.UID == 0 {
			note = h.Warn
		}
		note("no user namespace, so the command has the host's user ids: %v", err)
		s.Hardening.IDMap = config.IDMap{}
		if err := h.RootTree(s.Name).Remove(); err != nil {
			return nil, err
		}
		return h.furnish(s, dir, facts)
	}
	return plan, err
}
