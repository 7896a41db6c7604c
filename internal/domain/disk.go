// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"libvirt.org/go/libvirtxml"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// DiskName names the device of a sandbox's disk inside, below /dev, by its place in the config.
func DiskName(index int) string { return "sd" + string(rune('a'+index)) }

// disks gives the container its block devices: the nodes, and the right to open these and no others. libvirt puts a
// loop device before a raw file, which the kernel takes away with the last who uses it.
func disks(s *config.Sandbox, host Host) []libvirtxml.DomainDisk {
	var list []libvirtxml.DomainDisk
	for i, d := range s.Disks {
		disk := libvirtxml.DomainDisk{
			Device: "disk",
			Driver: &libvirtxml.DomainDiskDriver{Name: "loop", Type: "raw"},
			Source: &libvirtxml.DomainDiskSource{File: &libvirtxml.DomainDiskSourceFile{File: d.Source}},
			Target: &libvirtxml.DomainDiskTarget{Dev: DiskName(i)},
		}
		if device := host.Devices[d.Tag]; device != "" {
			disk.Driver = nil
			disk.Source = &libvirtxml.DomainDiskSource{Block: &libvirtxml.DomainDiskSourceBlock{Dev: device}}
		}
		list = append(list, disk)
	}
	return list
}
