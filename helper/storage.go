package helper

import (
	"fmt"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/describe"
	"github.com/virt-sandbox/virt-sandbox/internal/image"
)

// attached returns where the host-image mounts of a sandbox are mounted, by target, and the block devices of those
// disks that have one before libvirt starts it, by tag.
func (m *Manager) attached(s *config.Sandbox) (mounted, devices map[string]string, err error) {
	book := m.claims()
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
