// SPDX-License-Identifier: Apache-2.0

package startup

import (
	"fmt"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/apparmor"
	"github.com/virt-sandbox/virt-sandbox/internal/boot"
	"github.com/virt-sandbox/virt-sandbox/internal/capability"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/describe"
	"github.com/virt-sandbox/virt-sandbox/internal/enter"
	"github.com/virt-sandbox/virt-sandbox/internal/guest"
	"github.com/virt-sandbox/virt-sandbox/internal/image"
	"github.com/virt-sandbox/virt-sandbox/internal/lxcfs"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/programs"
	"github.com/virt-sandbox/virt-sandbox/internal/unitfile"
)

// facts asks the host for what every start depends on.
func (h *Host) facts(libvirt Libvirt, s *config.Sandbox, dir places.RunDir) (*boot.Facts, error) {
	if err := h.Content.CheckStart(s); err != nil {
		return nil, err
	}
	asked := ask(libvirt)
	// Also after an error: whoever has the connection may close it then.
	defer asked.wait()
	facts := boot.Facts{
		SELinux: h.Content.SELinux(), SetupLabel: h.setupLabel(s), Runtime: dir.Guest(), RootTree: h.RootTree(s.Name).Dir,
	}
	// As the host has the units now: what root inside makes of them does not count.
	set, err := h.units(s)
	if err != nil {
		return nil, err
	}
	facts.Asked = set.Capabilities(!h.Content.DeniesMounts(s))
	fitting, err := h.Content.Fit(s, set)
	if err != nil {
		return nil, err
	}
	facts.Fitting = *fitting
	if facts.Lacks, err = missingCapabilities(); err != nil {
		return nil, err
	}
	if facts.Mounted, facts.Devices, err = h.attached(s); err != nil {
		return nil, err
	}
	if facts.SecurityModel, facts.Memory, err = asked.wait(); err != nil {
		return nil, err
	}
	if facts.SecurityModel == "apparmor" {
		if facts.Profile, err = apparmor.Root(h.Places).PayloadProfile(s); err != nil {
			return nil, err
		}
	}
	if facts.Init, err = programs.Find(guest.Program); err != nil {
		return nil, err
	}
	if facts.Proc, err = lxcfs.Find(string(h.Places)); err != nil {
		h.Warn("%s shows the host's memory and processors inside: %v", s.Name, err)
	}
	return &facts, nil
}

// answers are what libvirt is asked while the rest is looked at.
type answers struct {
	done          chan struct{}
	securityModel string
	memory        config.Size
	err           error
}

func ask(libvirt Libvirt) *answers {
	a := &answers{done: make(chan struct{})}
	go func() {
		defer close(a.done)
		if a.securityModel, a.err = libvirt.SecurityModel(); a.err == nil {
			a.memory, a.err = libvirt.HostMemory()
		}
	}()
	return a
}

func (a *answers) wait() (securityModel string, memory config.Size, err error) {
	<-a.done
	return a.securityModel, a.memory, a.err
}

// units finds the units of a sandbox, and what they start. One that only the container has asks for nothing.
func (h *Host) units(s *config.Sandbox) (unitfile.Set, error) {
	return unitfile.Root(string(h.Places)).FindAll(s.Units, s.Name, func(error) error { return nil })
}

// missingCapabilities returns those that the host itself, and so libvirt, cannot have: it may be a container. This
// process may have fewer, since its unit bounds it.
func missingCapabilities() ([]string, error) {
	set, err := enter.BoundingSet(1)
	if err != nil {
		return nil, fmt.Errorf("read the host's capabilities: %w", err)
	}
	var names []string
	for number, name := range capability.Names() {
		if set&(1<<number) == 0 {
			names = append(names, name)
		}
	}
	return names, nil
}

// attached returns where the host-image mounts of a sandbox are mounted, by target, and the block devices of those
// disks that have one before libvirt starts it, by tag.
func (h *Host) attached(s *config.Sandbox) (mounted, devices map[string]string, err error) {
	book := h.Claims
	mounted, devices = make(map[string]string), make(map[string]string)
	for i, mount := range s.Mounts {
		if mount.Kind.ShowsImage() {
			mounted[mount.Target] = book.MountPoint(s.Name, i)
		}
	}
	for _, d := range s.Disks {
		switch {
		case describe.IsDevice(d):
			devices[d.Tag] = d.Source
		case d.Format == config.FormatQCOW2:
			device, err := image.NBDOf(d.Source)
			if err == nil && device == "" {
				err = fmt.Errorf("its block device is gone")
			}
			if err != nil {
				return nil, nil, fmt.Errorf("disk %s of %s: %w", d.Tag, s.Name, err)
			}
			devices[d.Tag] = device
		}
	}
	return mounted, devices, nil
}

// setupLabel returns the context for setting a sandbox up; empty where that has the one of its processes.
func (h *Host) setupLabel(s *config.Sandbox) string {
	label := content.SetupLabel(s)
	if label == "" || !h.Content.SELinux() || h.Content.CheckLabel(label) != nil {
		return ""
	}
	return label
}
