package helper

import (
	"fmt"
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/domain"
	"github.com/virt-sandbox/virt-sandbox/internal/guest"
	"github.com/virt-sandbox/virt-sandbox/internal/image"
)

// attached gives where the host-image mounts of a sandbox are mounted, by target, and the block devices of those disks that
// have one before libvirt starts it, by tag.
func attached(s *config.Sandbox) (mounted, devices map[string]string, err error) {
	mounted, devices = make(map[string]string), make(map[string]string)
	for i, mount := range s.Mounts {
		if mount.Kind == config.MountHostImage {
			mounted[mount.Target] = hostImageDir(s.Name, i)
		}
	}
	for _, d := range s.Disks {
		switch {
		case isDevice(d):
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

// addMounts tells the container's first program of mounts and disks, and gives those mounts that the root tree of a
// container with ids of its own has.
func addMounts(s *config.Sandbox, plan *guest.Plan, mounted map[string]string) []domain.Bind {
	var binds []domain.Bind
	for _, mount := range s.Mounts {
		if mount.Kind == config.MountGuestBind {
			// As writable as what it shows.
			plan.Binds = append(plan.Binds, guest.Bind{Source: mount.Source, Target: mount.Target})
			continue
		}
		plan.Writable = append(plan.Writable, mount.Target)
		source := mount.Source
		if mount.Kind == config.MountHostImage {
			source = mounted[mount.Target]
		}
		if mount.Kind != config.MountRAM && s.Hardening.IDMap.Mapped() {
			binds = append(binds, domain.Bind{Source: source, Target: mount.Target})
		}
	}
	for i, d := range s.Disks {
		plan.Disks = append(plan.Disks, guest.Disk{Tag: d.Tag, Device: "/dev/" + domain.DiskName(i)})
	}
	// One below another comes after it.
	slices.SortStableFunc(binds, func(a, b domain.Bind) int { return strings.Compare(a.Target, b.Target) })
	slices.SortStableFunc(plan.Binds, func(a, b guest.Bind) int { return strings.Compare(a.Target, b.Target) })
	return binds
}
